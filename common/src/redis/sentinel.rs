//! The primary that Redis Sentinel names. A connection that is lost, or whose server has become a
//! replica, is opened anew to whichever server is the primary by then; and no command is sent there
//! before it was noticed that the server is another one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, ScriptInvocation, Value};
use uuid::Uuid;

use super::keys::Keys;
use super::outage::is_read_only;
use super::script::SENTINEL_NOTICE;
use crate::config::Sentinels;

/// The sentinels have said who is the primary by then, or the search has failed.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The sentinels are not asked more often than this, however many callers wait.
const SEARCH_PAUSE: Duration = Duration::from_millis(50);

impl Sentinels {
    /// The primary as the first sentinel that answers names it, and as it says itself.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let (nodes, servers) = (self.nodes.clone(), self.servers.clone());
        let mut sentinels = SentinelClient::build(nodes, &self.service, Some(servers), SentinelServerType::Master)?;
        let named = tokio::time::timeout(SEARCH_TIMEOUT, sentinels.async_get_client()).await;
        named.map_err(std::io::Error::from)?
    }

    /// A new connection to it.
    pub(super) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        self.primary().await?.get_multiplexed_async_connection_with_config(config).await
    }
}

/// One connection to the primary that many share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Primary {
    how: Arc<How>,
    current: Arc<Mutex<Opening>>,
}

/// How a connection is opened.
struct How {
    sentinels: Sentinels,
    config: AsyncConnectionConfig,
    keys: Keys,
}

/// A connection that is opened by the first who needs it; the others wait for what becomes of that.
type Opening = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

impl Primary {
    /// Opens nothing yet.
    pub(super) fn new(sentinels: Sentinels, config: AsyncConnectionConfig, keys: Keys) -> Self {
        let how = Arc::new(How { sentinels, config, keys });
        Self { current: Arc::new(Mutex::new(open(Arc::clone(&how)))), how }
    }

    pub(super) fn sentinels(&self) -> &Sentinels {
        &self.how.sentinels
    }

    /// The connection that there is, and what it is given up by.
    async fn opened(&self) -> RedisResult<(MultiplexedConnection, Opening)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match current.clone().await {
            Ok(opened) => Ok((opened, current)),
            Err(error) => {
                self.give_up(&current);
                Err(error)
            }
        }
    }

    /// Gives a connection up; the next caller opens another one.
    fn give_up(&self, lost: &Opening) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.ptr_eq(lost) {
            *current = open(Arc::clone(&self.how));
        }
    }
}

fn open(how: Arc<How>) -> Opening {
    let opened = async move {
        let opened = async {
            let mut primary = how.sentinels.connect(&how.config).await?;
            notice(&how.keys).invoke_async::<()>(&mut primary).await?;
            Ok(primary)
        }
        .await;
        if opened.is_err() {
            tokio::time::sleep(SEARCH_PAUSE).await;
        }
        opened
    };
    opened.boxed().shared()
}

/// Notices that another server has taken the primary's place: what it may lack is treated as flushed.
pub(super) fn notice(keys: &Keys) -> ScriptInvocation<'static> {
    let mut call = SENTINEL_NOTICE.key(keys.quota_memory());
    for key in keys.of_passes() {
        call.key(key);
    }
    call.arg(Uuid::now_v7().to_string());
    call
}

/// Whether a connection is of no use any more. A server that does not answer in time may be gone with its
/// machine, which no broken connection tells.
fn is_lost<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_unrecoverable_error() || error.is_io_error())
}

impl ConnectionLike for Primary {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let (mut opened, current) = self.opened().await?;
            let answer = opened.req_packed_command(cmd).await;
            if is_lost(&answer) || is_read_only(&answer) {
                self.give_up(&current);
            }
            answer
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let (mut opened, current) = self.opened().await?;
            let answers = opened.req_packed_commands(cmd, offset, count).await;
            if is_lost(&answers) {
                self.give_up(&current);
            }
            answers
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        0
    }
}
