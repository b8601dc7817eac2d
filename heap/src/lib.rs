//! Gives memory back to the system. mimalloc keeps the pages of each thread for its next
//! allocations, and what other threads free there is only noticed by its own thread: after a flood of
//! large bodies, hundreds of MiB would stay for ever.

/// Gives back what the calling thread's heap does not need. Each thread must call it for itself. It
/// takes about a millisecond after a flood, and microseconds otherwise.
#[expect(unsafe_code, reason = "mimalloc has no safe function for it")]
pub fn collect() {
    // SAFETY: the function has no preconditions; it works on the calling thread's own heap, and
    // frees nothing that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
