//! Listening to a channel.

use std::{pin::Pin, time::Duration};

use deadpool_redis::redis::{RedisResult, Value, aio::PubSub};
use futures_util::{Stream, StreamExt, stream};
use tokio::time;

use super::error::within;

/// After how long a silence the server is asked whether it is still there. A link may break
/// without a word, and some providers close those that are silent for minutes.
const PING_AFTER: Duration = Duration::from_secs(5);

/// What is published on a channel, until the link breaks.
pub struct Subscription(Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>);

impl Subscription {
    pub(super) async fn start(
        mut link: PubSub,
        channel: &str,
        timeout: Duration,
    ) -> RedisResult<Self> {
        within(timeout, link.subscribe(channel)).await?;
        let messages = stream::unfold(link.split(), move |(mut sink, mut messages)| async move {
            loop {
                if let Ok(message) = time::timeout(PING_AFTER, messages.next()).await {
                    let payload = message?.get_payload_bytes().to_vec();
                    return Some((payload, (sink, messages)));
                }
                within(timeout, sink.ping::<Value>()).await.ok()?;
            }
        });
        Ok(Self(Box::pin(messages.fuse())))
    }

    /// The next message; none once the link is broken. Nothing is lost if this is given up and
    /// called again.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.0.next().await
    }
}
