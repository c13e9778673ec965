use crate::network::Network;
use std::sync::Arc;
/// x
pub(crate) async fn publish(_network: Arc<Network>) {}
