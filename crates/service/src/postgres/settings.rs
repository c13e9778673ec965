//! The server's settings, written at each start; `ALTER SYSTEM` overrides them.

use std::path::Path;

use super::cluster::Durability;

/// Moderate: for a machine that also runs the services, and a few million records.
const COMMON: &str = "\
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
shared_preload_libraries = ''
client_connection_check_interval = '1s'
timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %d '
jit = off
max_wal_size = '2GB'
random_page_cost = 1.1
";

const DURABLE: &str = "\
max_connections = 100
shared_buffers = '256MB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
";

const THROWAWAY: &str = "\
max_connections = 300
shared_buffers = '128MB'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum_naptime = '1h'
";

/// How pages in the write-ahead log are compressed: the first of these that the server was built with.
pub(super) const WAL_COMPRESSION: [&str; 2] = ["wal_compression=lz4", "wal_compression=on"];

/// The text of the settings file. `socket_dir` needs no quoting: [`super::place::Place::socket_dir`] sees to it.
pub(super) fn text(socket_dir: &Path, durability: Durability, wal_compression: &str) -> String {
    let rest = match durability {
        Durability::Durable => DURABLE,
        Durability::Throwaway => THROWAWAY,
    };
    format!("{COMMON}{rest}{wal_compression}\nunix_socket_directories = '{}'\n", socket_dir.display())
}
