//! What every crowsnest service needs before it does its own work, in the order `main` uses it: [`config`] (flags and
//! their environment variables), [`telemetry`] (log and metrics), [`metric`] (what they are), [`shutdown`] (signals), [`postgres`] (the database, ours
//! or given), [`listen`] (the socket), [`serve`] (who may come, and for how long), [`client`] (who that is), [`health`] (`/healthz`, `/readyz`, `/metrics`).

pub mod client;
pub mod config;
pub mod health;
mod incident;
pub mod listen;
pub mod metric;
pub mod postgres;
pub mod serve;
pub mod shutdown;
pub mod telemetry;

pub use health::Health;
pub use incident::Incident;
pub use postgres::{Postgres, PostgresError};
