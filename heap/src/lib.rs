//! Gives memory back to the system. mimalloc keeps the pages of each thread for its next
//! allocations, and what other threads free there is only noticed by its own thread: after a flood of
//! large bodies, hundreds of MiB would stay for ever. On Linux it asks for pages of 2 MiB, which stay whole as long as a
//! byte of them is in use: an API that needs 7 MiB holds 38.

/// Gives back what the calling thread's heap does not need. Each thread must call it for itself. It
/// takes about a millisecond after a flood, and microseconds otherwise.
#[expect(unsafe_code, reason = "mimalloc has no safe function for it")]
pub fn collect() {
    // SAFETY: the function has no preconditions; it works on the calling thread's own heap, and
    // frees nothing that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Has this process use small pages alone. What was allocated before keeps its pages: call it first. Elsewhere than on
/// Linux it does nothing.
pub fn use_small_pages() {
    // A system that refuses costs memory, and nothing else.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn large_pages_are_off_for_the_process() {
        use_small_pages();
        assert_eq!(nix::sys::prctl::get_thp_disable(), Ok(true));
    }
}
