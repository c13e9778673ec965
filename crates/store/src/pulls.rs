//! How often images are pulled through us: sums, and no word of who pulls.

use std::collections::BTreeMap;

use tokio_postgres::GenericClient;

use crate::StoreError;

/// What was pulled: (owner, repository, tag); an empty tag stands for a pull by digest.
pub type Pulled = (String, String, String);

/// Adds pulls to the counts of tags, repositories and the day. Accounts that may not be shown are not counted any more.
///
/// # Errors
/// When Postgres refuses, or is not there: nothing is added then.
pub async fn add(client: &impl GenericClient, pulls: &BTreeMap<Pulled, i64>) -> Result<(), StoreError> {
    let (mut dids, mut repositories, mut tags) = (Vec::new(), Vec::new(), Vec::new());
    for (did, repository, tag) in pulls.keys() {
        dids.push(did.as_str());
        repositories.push(repository.as_str());
        tags.push(tag.as_str());
    }
    let counts: Vec<i64> = pulls.values().copied().collect();
    // In the order of their keys, as every process adds them: none waits for another that waits for it.
    client
        .execute(
            "WITH new AS (SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) t (did, repository, tag, pulls)
                          JOIN actor a ON a.did = t.did AND a.active),
                  day AS (INSERT INTO pull_day AS d (did, repository, day, pulls)
                          SELECT did, repository, current_date, sum(pulls) FROM new
                          GROUP BY did, repository ORDER BY did COLLATE \"C\", repository COLLATE \"C\"
                          ON CONFLICT (did, repository, day) DO UPDATE SET pulls = d.pulls + excluded.pulls),
                  total AS (
             INSERT INTO pull_count AS c (did, repository, tag, pulls, last_pull_at)
             SELECT did, repository, tag, sum(pulls), now()
             FROM (SELECT did, repository, '' AS tag, pulls FROM new
                   UNION ALL SELECT did, repository, tag, pulls FROM new WHERE tag <> '') counted
             GROUP BY did, repository, tag ORDER BY did COLLATE \"C\", repository COLLATE \"C\", tag COLLATE \"C\"
             ON CONFLICT (did, repository, tag) DO UPDATE
             SET pulls = c.pulls + excluded.pulls, last_pull_at = excluded.last_pull_at
             RETURNING did, repository, tag, pulls),
                  -- Search ranks by the number of binary digits.
                  grown AS (SELECT 'repository:' || t.did || '/' || t.repository AS key
                            FROM total t JOIN (SELECT did, repository, sum(pulls) AS more FROM new GROUP BY 1, 2) n
                                 USING (did, repository)
                            WHERE t.tag = '' AND length(trim(LEADING '0' FROM t.pulls::bit(64)::text))
                                              <> length(trim(LEADING '0' FROM (t.pulls - n.more)::bigint::bit(64)::text)))
             INSERT INTO change_log (generation, keys)
             SELECT generation, keys FROM current_generation, (SELECT array_agg(key) AS keys FROM grown) g WHERE keys IS NOT NULL",
            &[&dids, &repositories, &tags, &counts],
        )
        .await?;
    Ok(())
}
