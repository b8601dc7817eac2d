//! Forgetting the jobs of an erased business.

use super::*;

#[tokio::test]
async fn jobs_are_forgotten_wherever_they_stand_but_in_a_workers_hands() {
    let queue = queue().await;
    let jobs = entries("acme", Priority::Interactive, 8);
    queue.push(&jobs[..6]).await.unwrap();
    // Two are leased, one of them comes back later, the others are set aside.
    let leased = claim_by(&queue, "test", 10, LEASE_MS, 2).await.leased;
    let later = Settled { lease: leased[1].lease, next: Next::Later(clock::now() + TimeDelta::days(1)) };
    queue.settle(&[later]).await.unwrap();
    queue.push(&jobs[6..]).await.unwrap();
    let others = entries("acme:x", Priority::Bulk, 3);
    queue.push(&others).await.unwrap();
    let share =
        |business: &str| (BusinessId::parse(business).unwrap(), Share { weight: Some(2), jobs_at_once: None }, 1);
    queue.set_shares(&[share("acme"), share("acme:x")]).await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert!(depth.leased == 1 && depth.delayed == 1 && depth.capped >= 3 && depth.ready >= 5, "{depth:?}");

    let (acme, all) = (BusinessId::parse("acme").unwrap(), [ids(&jobs), ids(&others)].concat());
    assert_eq!(queue.forget(&acme, &all).await.unwrap(), [leased[0].lease.id]);
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 3, leased: 1, ..Depth::default() }, "others stay");
    assert_eq!(queue.recover(&all).await.unwrap().put_back, 0);
    queue.settle(&[Settled { lease: leased[0].lease, next: Next::Done }]).await.unwrap();
    assert_eq!(queue.forget(&acme, &all).await.unwrap(), []);
    assert_eq!(queue.unknown(&all).await.unwrap(), ids(&jobs));
    queue.forget_business(&acme).await.unwrap();
    for (hash, left) in
        [(&queue.keys.shares, 1), (&queue.keys.clocks, 1), (&queue.keys.places, 0), (&queue.keys.epochs, 0)]
    {
        let fields: Vec<String> = redis::cmd("HKEYS").arg(hash).query_async(&mut queue.redis.commands()).await.unwrap();
        assert_eq!(fields.len(), left, "{hash}: {fields:?}");
    }
    assert_eq!(claim_ids(&queue, 10).await, ids(&others));
}
