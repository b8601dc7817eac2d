//! apalis-redis: adds no-op jobs, then runs them all. Prints the duration of both in seconds, as
//! JSON.
//!
//! `copydesk-bench-apalis-redis <URL of Redis> <jobs>`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use tokio::sync::Notify;

/// The number of jobs that Copydesk's queue pushes and claims in one round trip.
const BATCH: usize = 500;
const CONCURRENCY: usize = 1_000;

/// The jobs left, counted down by the handler.
struct Left {
    jobs: AtomicUsize,
    none: Notify,
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let mut arguments = std::env::args().skip(1);
    let (url, jobs) = arguments.next().zip(arguments.next()).ok_or("<URL of Redis> <jobs>")?;
    let jobs: usize = jobs.parse()?;
    // As its docs advise for short tasks: large batches, no results, no events. Tasks are locked
    // while they run (the default), as in Copydesk.
    let config = Config::default().queue("noop").batch_size(BATCH).persist_results(false).emit_events(false);
    let mut storage = RedisStorage::<String>::new(apalis_redis::connect(url).await?).with_config(config);

    let began = Instant::now();
    let mut left = jobs;
    while left > 0 {
        let batch = left.min(BATCH);
        storage.push_bulk(vec!["bench".to_owned(); batch]).await?;
        left -= batch;
    }
    let pushing = began.elapsed().as_secs_f64();

    let left = Arc::new(Left { jobs: AtomicUsize::new(jobs), none: Notify::new() });
    let began = Instant::now();
    let worker = WorkerBuilder::new("noop").backend(storage).data(Arc::clone(&left)).concurrency(CONCURRENCY);
    let worker = worker.build(handle);
    let done = async move {
        left.none.notified().await;
        Ok::<(), std::io::Error>(())
    };
    // Ends once the last results are in Redis.
    worker.run_until(done).await?;
    println!("{{\"pushing\": {pushing}, \"draining\": {}}}", began.elapsed().as_secs_f64());
    Ok(())
}

async fn handle(_business: String, left: Data<Arc<Left>>) -> Result<(), BoxDynError> {
    if left.jobs.fetch_sub(1, Ordering::Relaxed) == 1 {
        left.none.notify_one();
    }
    Ok(())
}
