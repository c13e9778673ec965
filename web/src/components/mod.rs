//! What pages are made of.

pub mod avatar;
pub mod facets;
pub mod facts;
pub mod flag;
pub mod frame;
pub mod hints;
pub mod icon;
pub mod lag;
pub mod layers;
pub mod notice;
pub mod provenance;
pub mod pull;
pub mod row;
pub mod ways;
pub mod words;
