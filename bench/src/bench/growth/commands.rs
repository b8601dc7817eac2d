//! What Redis says that calls cost it: the time of commands by `INFO commandstats`, and of its thread by
//! `INFO cpu`. A client's own time would hold the round trip and the wait for a core.

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;

use crate::redis_server::RedisServer;

/// A connection that asks a Redis about itself.
pub(super) struct Commands(MultiplexedConnection);

/// What Redis has spent so far.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    /// In scripts, with the commands that they called.
    scripts_us: f64,
    script_calls: f64,
    /// In all other commands; those that scripts called are in both.
    others_us: f64,
}

/// What Redis did over a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Of its thread, in percent.
    pub(super) busy: f64,
    /// The same by the time within scripts and blocking commands.
    pub(super) in_commands: f64,
    /// Calls of scripts.
    pub(super) script_calls: f64,
    pub(super) seconds: f64,
}

impl Commands {
    pub(super) async fn of(server: &RedisServer) -> anyhow::Result<Self> {
        Ok(Self(server.connect().await?))
    }

    /// Does something so many times, and returns the microseconds that each took Redis.
    pub(super) async fn cost_us<T>(
        &mut self,
        times: usize,
        mut one: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<f64>> {
        let mut costs = Vec::with_capacity(times);
        for _ in 0..times {
            costs.push(self.cost_of(one()).await?.0);
        }
        Ok(costs)
    }

    /// The microseconds that one thing took Redis, and what came of it.
    pub(super) async fn cost_of<T>(
        &mut self,
        one: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(f64, T)> {
        let before = self.spent().await?;
        let came = one.await?;
        let after = self.spent().await?;
        let scripts = after.scripts_us - before.scripts_us;
        let ran_scripts = after.script_calls > before.script_calls;
        Ok((if ran_scripts { scripts } else { after.others_us - before.others_us }, came))
    }

    /// What Redis does while something else goes on.
    pub(super) async fn work<T>(&mut self, meanwhile: impl Future<Output = T>) -> anyhow::Result<(Work, T)> {
        let (spent, cpu, began) = (self.spent().await?, self.cpu_seconds().await?, std::time::Instant::now());
        let came = meanwhile.await;
        let seconds = began.elapsed().as_secs_f64();
        let (spent_after, cpu_after) = (self.spent().await?, self.cpu_seconds().await?);
        let in_commands_us = spent_after.scripts_us - spent.scripts_us;
        let work = Work {
            busy: (cpu_after - cpu) / seconds * 100.0,
            in_commands: in_commands_us / 1e6 / seconds * 100.0,
            script_calls: spent_after.script_calls - spent.script_calls,
            seconds,
        };
        Ok((work, came))
    }

    async fn spent(&mut self) -> anyhow::Result<Spent> {
        let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.0).await?;
        Ok(spent(&text))
    }

    async fn cpu_seconds(&mut self) -> anyhow::Result<f64> {
        let text: String = redis::cmd("INFO").arg("cpu").query_async(&mut self.0).await?;
        cpu_seconds(&text).context("Redis does not say what processor it used")
    }
}

/// Of the thread that serves commands, where Redis tells it from its other ones.
fn cpu_seconds(text: &str) -> Option<f64> {
    let field = |name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    let sum = |user: &str, system: &str| Some(field(user)? + field(system)?);
    sum("used_cpu_user_main_thread", "used_cpu_sys_main_thread").or_else(|| sum("used_cpu_user", "used_cpu_sys"))
}

/// By the lines of `INFO commandstats`, but for what we ask ourselves.
fn spent(text: &str) -> Spent {
    const OURS: [&str; 5] = ["info", "config", "ping", "client", "hello"];
    let mut spent = Spent::default();
    for line in text.lines() {
        let Some((name, fields)) = line.strip_prefix("cmdstat_").and_then(|line| line.split_once(':')) else {
            continue;
        };
        let field = |name: &str| -> f64 {
            let value = fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
        };
        let command = name.split('|').next().unwrap_or(name);
        if matches!(command, "eval" | "evalsha" | "fcall") {
            spent.scripts_us += field("usec");
            spent.script_calls += field("calls");
        } else if !OURS.contains(&command) {
            spent.others_us += field("usec");
        }
    }
    spent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_from_the_commands_that_they_call() {
        let text = "# Commandstats\r\ncmdstat_evalsha:calls=2,usec=150,usec_per_call=75.00\r\ncmdstat_hget:calls=4,usec=8\r\ncmdstat_config|get:calls=9,usec=99\r\n";
        let spent = spent(text);
        assert_eq!((spent.scripts_us, spent.script_calls, spent.others_us), (150.0, 2.0, 8.0));
    }

    #[test]
    fn the_thread_that_serves_is_told_from_the_others() {
        let all = "used_cpu_sys:2.0\r\nused_cpu_user:3.0\r\n";
        assert_eq!(cpu_seconds(all), Some(5.0));
        let main = format!("{all}used_cpu_sys_main_thread:0.5\r\nused_cpu_user_main_thread:1.0\r\n");
        assert_eq!(cpu_seconds(&main), Some(1.5));
        assert_eq!(cpu_seconds("nothing"), None);
    }
}
