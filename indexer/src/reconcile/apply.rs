//! Differences are mended by reading the repository again, as the writer does after a gap: this process may not be it.

use std::collections::BTreeSet;

use store::{
    StoreError,
    jobs::{JobKind, enqueue},
    records,
};

use super::diff::{Difference, Kind};
use crate::jobs::Context;

/// Queues what mends the differences, and returns the accounts concerned.
pub async fn queue(context: &Context, differences: &[Difference]) -> Result<Vec<String>, StoreError> {
    let of = |wanted: fn(Kind) -> bool| -> Vec<String> {
        let dids: BTreeSet<&str> =
            differences.iter().filter(|found| wanted(found.kind)).map(|found| found.did.as_str()).collect();
        dids.into_iter().map(str::to_owned).collect()
    };
    // The content is the same at no newer a revision: without this it would be taken for a duplicate.
    records::distrust(&context.store, &of(|kind| kind == Kind::Decoded)).await?;
    enqueue(&context.store, JobKind::Actor, &of(|kind| kind == Kind::Status)).await?;
    let all = of(|_| true);
    enqueue(&context.store, JobKind::Resync, &all).await?;
    Ok(all)
}
