//! What grows with the jobs: the time of Redis for each call, of idle claimers, of requests, and of the
//! sweep, at ten jobs and at many. Whatever grows with them ends a system that was fast when it was small.

mod ask;
mod commands;
mod fill;
mod fleet;
mod idle;
mod requests;
mod scripts;
mod search;
mod sweep;

use std::path::Path;
use std::time::Instant;

use super::{Bench, Part};
use crate::measure::Findings;
use crate::redis_server::RedisServer;

const ABOUT: &str = "what each call of Redis, each request and the sweep takes beside 10 jobs, a hundredth of --jobs and --jobs of them, and what idle claimers cost; Redis' time is its own (INFO commandstats), requests are timed one at a time over HTTP, rows and messages are there before; one run";

/// The parts of this row.
const PARTS: [Part; 5] = [Part::Scripts, Part::Idle, Part::Requests, Part::Search, Part::Sweep];

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("growth", ABOUT);
    let sizes = [10, (bench.jobs / 100).max(20), bench.jobs.max(30)];
    for part in bench.parts_of(&PARTS) {
        let folder = folder.join(format!("{part:?}").to_lowercase());
        std::fs::create_dir_all(&folder)?;
        let began = Instant::now();
        match part {
            Part::Scripts => {
                let server = RedisServer::start(&bench.ground.redis_server, &folder).await?;
                scripts::measure(&server, &sizes, &mut findings).await?;
            }
            Part::Idle => idle::measure(bench, &folder, &mut findings).await?,
            Part::Requests => requests::measure(bench, &folder, &sizes, &mut findings).await?,
            Part::Search => search::measure(bench, &folder, &sizes, &mut findings).await?,
            Part::Sweep => sweep::measure(bench, &folder, &sizes, &mut findings).await?,
            // The parts of another row.
            _ => {}
        }
        eprintln!("growth, {part:?}: {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok(findings)
}
