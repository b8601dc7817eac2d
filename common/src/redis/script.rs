//! The Lua scripts, each from a file under `common/lua` that states its contract. They are called
//! by hash, and sent in full if the server does not know them.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

macro_rules! scripts {
    ($($name:ident = $path:literal;)+) => {
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("../../lua/", $path))));)+
    };
}

scripts! {
    DRAFT_APPEND = "draft/append.lua";
    PRESENCE_BEAT = "presence/beat.lua";
    QUEUE_PUSH = "queue/push.lua";
    QUEUE_CLAIM = "queue/claim.lua";
    QUEUE_FORGET = "queue/forget.lua";
    QUEUE_INTAKE = "queue/intake.lua";
    QUEUE_RENEW = "queue/renew.lua";
    QUEUE_RECOVER = "queue/recover.lua";
    QUEUE_READOPT = "queue/readopt.lua";
    QUEUE_SHARE = "queue/share.lua";
    QUEUE_SETTLE = "queue/settle.lua";
    QUOTA_ADMIT = "quota/admit.lua";
    QUOTA_BREAKER = "quota/breaker.lua";
    QUOTA_FORESEE = "quota/foresee.lua";
    QUOTA_LEARN = "quota/learn.lua";
    QUOTA_LIMITS = "quota/limits.lua";
    QUOTA_MEMORY = "quota/memory.lua";
    QUOTA_REOPEN = "quota/reopen.lua";
    QUOTA_SETTLE = "quota/settle.lua";
    QUOTA_STATUS = "quota/status.lua";
    SENTINEL_NOTICE = "sentinel/notice.lua";
    SWEEP_COMPLETE = "sweep/complete.lua";
    SWEEP_HOLD = "sweep/hold.lua";
}

/// A call of a script on these keys.
pub(crate) fn on_keys<'a>(script: &'a Script, keys: impl IntoIterator<Item = &'a String>) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    for key in keys {
        call.key(key);
    }
    call
}
