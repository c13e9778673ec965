use migrations::{
    Migrator, MigratorTrait, generation,
    sea_orm::{Database, DatabaseConnection},
};
use service::postgres::testing::TestDatabase;
use store::Schema;

async fn schemas(db: &TestDatabase) -> i64 {
    let client = store::connect(db.url(), None).await.unwrap().client;
    let sql = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace::regnamespace::text ~ '^(obs|ops|idx_)'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn migrations_run_up_down_and_up() {
    let database = TestDatabase::create().await.unwrap();
    let db: DatabaseConnection = Database::connect(database.url()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store::prepare(database.url()).await.unwrap(), 1);
        assert!(schemas(&database).await > 40);
        generation::down(&db, 1).await.unwrap();
        Migrator::down(&db, None).await.unwrap();
        assert_eq!(schemas(&database).await, 0);
    }
    assert_eq!(store::prepare(database.url()).await.unwrap(), 1);
    assert_eq!(store::prepare(database.url()).await.unwrap(), 1, "a second run changes nothing");
}

/// Whoever only reads must not make a schema in whatever database was named.
#[tokio::test]
async fn a_look_changes_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let client = store::connect(database.url(), None).await.unwrap().client;
    let ours = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(obs|ops|ext|idx_.*)$'";
    assert_eq!(store::inspect(database.url()).await.unwrap(), Schema::Absent);
    assert_eq!(client.query_one(ours, &[]).await.unwrap().get::<_, i64>(0), 0);
    store::prepare(database.url()).await.unwrap();
    assert_eq!(store::inspect(database.url()).await.unwrap(), Schema::Ready(1));
    let last = "DELETE FROM seaql_migrations WHERE version = (SELECT max(version) FROM seaql_migrations)";
    client.execute(last, &[]).await.unwrap();
    assert_eq!(store::inspect(database.url()).await.unwrap(), Schema::Old);
    client.execute("DELETE FROM ops.current_generation", &[]).await.unwrap();
    assert_eq!(store::inspect(database.url()).await.unwrap(), Schema::Old);
}

#[tokio::test]
async fn processes_that_start_at_once_prepare_once() {
    let database = TestDatabase::create().await.unwrap();
    let url = database.url();
    let (a, b, c) = tokio::join!(store::prepare(url), store::prepare(url), store::prepare(url));
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (1, 1, 1));
}

/// Rules of the schema, as the migrations' documentation states them.
#[tokio::test]
async fn key_columns_are_collate_c_and_generations_have_no_types_or_foreign_keys() {
    let database = TestDatabase::create().await.unwrap();
    store::prepare(database.url()).await.unwrap();
    let client = store::connect(database.url(), None).await.unwrap().client;
    let keys =
        "SELECT format('%s.%s', c.oid::regclass, a.attname) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                JOIN pg_collation l ON l.oid = a.attcollation
                WHERE i.indisprimary AND c.relnamespace::regnamespace::text ~ '^(obs|ops|idx_)' AND l.collname <> 'C'";
    let wrong: Vec<String> = client.query(keys, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(wrong.is_empty(), "not COLLATE \"C\": {wrong:?}");
    let odd = "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace::regnamespace::text ~ '^(obs|ops|idx_)')
                    + (SELECT count(*) FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                       WHERE t.typnamespace::regnamespace::text ~ '^idx_' AND (t.typtype = 'e' OR c.relkind = 'c'))";
    assert_eq!(client.query_one(odd, &[]).await.unwrap().get::<_, i64>(0), 0);
}
