//! Documents and postings that differ are written, and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use tokio_postgres::{
    Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use types::search::variants;

use super::{derive::Documents, document::Document};
use crate::StoreError;

/// A document as it stands.
pub(super) struct Known {
    id: i32,
    document: Document,
}

/// What is posted and taken back: keys, static scores and documents, each list as long as the others.
#[derive(Default)]
struct Postings {
    words: Vec<String>,
    statics: Vec<i16>,
    docs: Vec<i32>,
}

impl Postings {
    fn add<'a>(&mut self, keys: impl Iterator<Item = &'a String>, static_score: i16, doc: i32) {
        for key in keys {
            self.words.push(key.clone());
            self.statics.push(static_score);
            self.docs.push(doc);
        }
    }
}

/// The documents that there are of these repositories.
pub(super) async fn known(
    tx: &Transaction<'_>,
    dids: &[String],
    names: &[String],
) -> Result<BTreeMap<(String, String), Known>, StoreError> {
    let rows = tx
        .query(
            "SELECT d.id, d.did, d.name, d.static, d.kind, d.platforms, d.licenses, d.flags, d.updated_at, k.keys
             FROM unnest($1::text[], $2::text[]) t (did, name) JOIN search_doc d ON d.did = t.did AND d.name = t.name
             JOIN search_keys k ON k.doc = d.id",
            &[&dids, &names],
        )
        .await?;
    let mut known = BTreeMap::new();
    for row in &rows {
        let document = Document {
            did: row.get(1),
            name: row.get(2),
            static_score: row.get(3),
            kind: row.get::<_, &str>(4).parse().map_err(|error| StoreError::Statement(Box::new(error)))?,
            platforms: row.get(5),
            licenses: row.get(6),
            flags: row.get(7),
            updated_at: row.get(8),
            keys: row.get(9),
        };
        known.insert((document.did.clone(), document.name.clone()), Known { id: row.get(0), document });
    }
    Ok(known)
}

/// Makes of what is known what was found.
pub(super) async fn changes(
    tx: &Transaction<'_>,
    mut found: Documents,
    known: BTreeMap<(String, String), Known>,
) -> Result<(), StoreError> {
    let (mut out, mut into) = (Postings::default(), Postings::default());
    let (mut gone, mut changed): (Vec<i32>, Vec<(i32, Document, bool)>) = (Vec::new(), Vec::new());
    for (place, Known { id, document: old }) in known {
        let Some(new) = found.remove(&place) else {
            out.add(old.keys.iter(), old.static_score, id);
            gone.push(id);
            continue;
        };
        if new == old {
            continue;
        }
        if new.static_score == old.static_score {
            let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
                (old.keys.iter().collect(), new.keys.iter().collect());
            out.add(before.difference(&after).copied(), old.static_score, id);
            into.add(after.difference(&before).copied(), new.static_score, id);
        } else {
            out.add(old.keys.iter(), old.static_score, id);
            into.add(new.keys.iter(), new.static_score, id);
        }
        let other_keys = new.keys != old.keys;
        changed.push((id, new, other_keys));
    }
    take_back(tx, &out).await?;
    update(tx, &changed).await?;
    if !gone.is_empty() {
        tx.execute("DELETE FROM search_keys WHERE doc = ANY($1)", &[&gone]).await?;
        tx.execute("DELETE FROM search_doc WHERE id = ANY($1)", &[&gone]).await?;
    }
    post(tx, &mut into, &found.into_values().collect::<Vec<_>>()).await?;
    let mut moved: BTreeMap<&str, i32> = BTreeMap::new();
    for word in &into.words {
        *moved.entry(word).or_default() += 1;
    }
    for word in &out.words {
        *moved.entry(word).or_default() -= 1;
    }
    recount(tx, &moved).await
}

/// Writes documents that are new, and does not count their words: [`count_words`] does, at the end.
pub(super) async fn insert(tx: &Transaction<'_>, documents: &[Document]) -> Result<(), StoreError> {
    post(tx, &mut Postings::default(), documents).await
}

/// Writes new documents, and the postings of all.
async fn post(tx: &Transaction<'_>, into: &mut Postings, documents: &[Document]) -> Result<(), StoreError> {
    if !documents.is_empty() {
        let next = "SELECT nextval(pg_get_serial_sequence('search_doc', 'id'))::integer FROM generate_series(1, $1)";
        let ids = tx.query(next, &[&i32::try_from(documents.len()).unwrap_or(i32::MAX)]).await?;
        let ids: Vec<i32> = ids.iter().map(|row| row.get(0)).collect();
        let (text, texts) = (Type::TEXT, Type::TEXT_ARRAY);
        let doc = [
            Type::INT4,
            text.clone(),
            text.clone(),
            Type::INT2,
            text,
            texts.clone(),
            texts.clone(),
            texts.clone(),
            Type::TIMESTAMPTZ,
        ];
        let columns = "search_doc (id, did, name, static, kind, platforms, licenses, flags, updated_at)";
        let mut docs = copy(tx, columns, &doc).await?;
        for (id, d) in ids.iter().zip(documents) {
            let kind = d.kind.as_str();
            let row: [&(dyn ToSql + Sync); 9] =
                [id, &d.did, &d.name, &d.static_score, &kind, &d.platforms, &d.licenses, &d.flags, &d.updated_at];
            docs.as_mut().write(&row).await?;
            into.add(d.keys.iter(), d.static_score, *id);
        }
        docs.as_mut().finish().await?;
        let mut keys = copy(tx, "search_keys (doc, keys)", &[Type::INT4, texts]).await?;
        for (id, d) in ids.iter().zip(documents) {
            keys.as_mut().write(&[id, &d.keys]).await?;
        }
        keys.as_mut().finish().await?;
    }
    if !into.words.is_empty() {
        // Neighbours of the index follow each other.
        let mut order: Vec<usize> = (0..into.words.len()).collect();
        order.sort_by(|one, other| into.words[*one].cmp(&into.words[*other]));
        let mut postings =
            copy(tx, "search_posting (word, static, doc)", &[Type::TEXT, Type::INT2, Type::INT4]).await?;
        for n in order {
            postings.as_mut().write(&[&into.words[n], &into.statics[n], &into.docs[n]]).await?;
        }
        postings.as_mut().finish().await?;
    }
    Ok(())
}

async fn copy(tx: &Transaction<'_>, columns: &str, types: &[Type]) -> Result<Pin<Box<BinaryCopyInWriter>>, StoreError> {
    let sink = tx.copy_in(&format!("COPY {columns} FROM STDIN BINARY")).await?;
    Ok(Box::pin(BinaryCopyInWriter::new(sink, types)))
}

async fn take_back(tx: &Transaction<'_>, out: &Postings) -> Result<(), StoreError> {
    if !out.words.is_empty() {
        tx.execute(
            "DELETE FROM search_posting p USING unnest($1::text[], $2::smallint[], $3::integer[]) t (word, static, doc)
             WHERE p.word = t.word AND p.static = t.static AND p.doc = t.doc",
            &[&out.words, &out.statics, &out.docs],
        )
        .await?;
    }
    Ok(())
}

async fn update(tx: &Transaction<'_>, changed: &[(i32, Document, bool)]) -> Result<(), StoreError> {
    for (id, d, other_keys) in changed {
        tx.execute(
            "UPDATE search_doc SET static = $2, kind = $3, platforms = $4, licenses = $5, flags = $6, updated_at = $7
             WHERE id = $1",
            &[id, &d.static_score, &d.kind.as_str(), &d.platforms, &d.licenses, &d.flags, &d.updated_at],
        )
        .await?;
        if *other_keys {
            tx.execute("UPDATE search_keys SET keys = $2 WHERE doc = $1", &[id, &d.keys]).await?;
        }
    }
    Ok(())
}

/// Whether the number of a key's documents is kept: names and owners are as many as there are repositories.
fn is_counted(key: &str) -> bool {
    !key.starts_with(['=', '@'])
}

/// The word of a name or a description behind a key; those of READMEs are nobody's spelling.
fn spelt(key: &str) -> Option<&str> {
    let word = key.strip_prefix('/').unwrap_or(key);
    word.starts_with(char::is_alphanumeric).then_some(word)
}

async fn recount(tx: &Transaction<'_>, moved: &BTreeMap<&str, i32>) -> Result<(), StoreError> {
    let moved = moved.iter().filter(|(word, by)| is_counted(word) && **by != 0);
    let (words, by): (Vec<&str>, Vec<i32>) = moved.map(|(word, by)| (*word, *by)).unzip();
    if words.is_empty() {
        return Ok(());
    }
    let rows = tx
        .query(
            "INSERT INTO search_word AS w (word, documents, level)
             SELECT word, by, length(trim(LEADING '0' FROM by::bit(32)::text))
             FROM unnest($1::text[], $2::integer[]) t (word, by)
             ON CONFLICT (word) DO UPDATE
             SET documents = w.documents + excluded.documents,
                 level = length(trim(LEADING '0' FROM (w.documents + excluded.documents)::bit(32)::text))
             RETURNING word, documents",
            &[&words, &by],
        )
        .await?;
    let by: BTreeMap<&str, i32> = words.into_iter().zip(by).collect();
    let (mut new, mut gone) = (Vec::new(), Vec::new());
    for row in &rows {
        let (word, documents): (&str, i32) = (row.get(0), row.get(1));
        if documents <= 0 {
            gone.push(word);
        } else if by.get(word) == Some(&documents) {
            new.push(word);
        }
    }
    tx.execute("DELETE FROM search_word WHERE word = ANY($1)", &[&gone]).await?;
    unlearn(tx, &gone.into_iter().filter_map(spelt).collect::<Vec<_>>()).await?;
    learn(tx, &new.into_iter().filter_map(spelt).collect::<BTreeSet<_>>()).await
}

/// Takes words out of the spelling, unless a name or a description still has them.
async fn unlearn(tx: &Transaction<'_>, words: &[&str]) -> Result<(), StoreError> {
    let variants: Vec<(String, &str)> =
        words.iter().flat_map(|word| variants(word).into_iter().map(move |variant| (variant, *word))).collect();
    if variants.is_empty() {
        return Ok(());
    }
    let (variants, words): (Vec<String>, Vec<&str>) = variants.into_iter().unzip();
    tx.execute(
        "DELETE FROM search_spelling s USING unnest($1::text[], $2::text[]) t (variant, word)
         WHERE s.variant = t.variant AND s.word = t.word
           AND NOT EXISTS (SELECT FROM search_word w WHERE w.word = t.word OR w.word = '/' || t.word)",
        &[&variants, &words],
    )
    .await?;
    Ok(())
}

async fn learn(tx: &Transaction<'_>, words: &BTreeSet<&str>) -> Result<(), StoreError> {
    let new = words.iter().flat_map(|word| variants(word).into_iter().map(move |variant| (variant, *word)));
    let (variants, words): (Vec<String>, Vec<&str>) = new.unzip();
    if !variants.is_empty() {
        tx.execute(
            "INSERT INTO search_spelling (variant, word) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
            &[&variants, &words],
        )
        .await?;
    }
    Ok(())
}

/// Counts all words from the postings, and learns how they are spelt.
pub(super) async fn count_words(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.batch_execute(
        "INSERT INTO search_word (word, documents, level)
         SELECT word, count(*), length(trim(LEADING '0' FROM count(*)::integer::bit(32)::text))
         FROM search_posting WHERE word !~ '^[=@]' GROUP BY word ORDER BY word COLLATE \"C\"",
    )
    .await?;
    let rows = tx.query("SELECT word FROM search_word", &[]).await?;
    let all: BTreeSet<&str> = rows.iter().filter_map(|row| spelt(row.get(0))).collect();
    let all: Vec<&str> = all.into_iter().collect();
    for some in all.chunks(10_000) {
        learn(tx, &some.iter().copied().collect()).await?;
    }
    Ok(())
}
