//! Sending rejected records to the dead letters.

use std::collections::{BTreeMap, BTreeSet};

use pgcdc_kafka::consumer::{Message, Partition};
use pgcdc_lifecycle::{Failure, sleep};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::flood::Flow;
use super::writing::{Driver, within_grace};
use crate::{Error, Rejected};

impl Driver {
    /// Sends records to the dead letters, in order, and adds them to `dead`; `false` when told to stop before all were there.
    ///
    /// # Errors
    /// When there are more in a row than the configuration allows.
    pub(super) async fn bury(
        &self,
        partition: &Partition,
        messages: &[Message],
        rejected: Vec<Rejected>,
        dead: &mut BTreeSet<i64>,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        if rejected.is_empty() {
            return Ok(true);
        }
        let reasons: BTreeMap<i64, String> = rejected.into_iter().map(|r| (r.position, r.reason)).collect();
        let next: BTreeSet<i64> = reasons.keys().copied().filter(|offset| !dead.contains(offset)).collect();
        dead.extend(&next);
        for (offset, flow) in self.flood.judge(partition, messages, dead, &next) {
            let reason = reasons.get(&offset).map_or("", String::as_str);
            self.tell(partition, offset, flow, reason)?;
            let Some(message) = messages.iter().find(|message| message.offset == offset) else { continue };
            if !self.bury_one(partition, message, reason, stop).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says what many dead letters in a row mean.
    ///
    /// # Errors
    /// When there are more than the configuration allows.
    fn tell(&self, partition: &Partition, offset: i64, flow: Flow, reason: &str) -> Result<(), Error> {
        match flow {
            Flow::Fine => Ok(()),
            Flow::Loud(row) => {
                let hint = "stop the sink, look at the reason and at the sink's configuration; the records are in the dead letter topic, unchanged; max_dead_letters ends the sink in time";
                tracing::error!(sink = %self.name, %partition, row, reason, hint, "many dead letters in a row: is it the sink's configuration that is wrong, and not the records?");
                Ok(())
            }
            Flow::End(limit) => {
                let what = format!(
                    "sink {:?}, {partition} at {offset}: more than {limit} records in a row cannot be written (max_dead_letters = {limit}): {reason}",
                    self.name
                );
                let hint = "mend the records, the store or the sink's configuration, or allow more with max_dead_letters; the sink begins again at the offset that it committed last";
                Err(Error::fatal(what).with_hint(Some(hint.to_owned())))
            }
        }
    }

    /// Sends one record to the dead letters, however long that takes; `false` when told to stop before.
    async fn bury_one(
        &self,
        partition: &Partition,
        message: &Message,
        reason: &str,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        let (offset, mut backoff) = (message.offset, self.backoff());
        // After a stop only the call in progress gets its few seconds. Many dead letters may follow; they are not begun.
        while !stop.is_cancelled() {
            let sent = within_grace(self.rejections.send(partition, message, reason), stop).await;
            let Some(sent) = sent else { return Ok(false) };
            let Err(error) = sent else {
                self.goes_on(Some(partition));
                self.metrics.dead_letters.inc();
                tracing::warn!(sink = %self.name, %partition, offset, reason, "record sent to the dead letters");
                return Ok(true);
            };
            // The record must not be skipped because its dead letter cannot be written: it would be lost.
            if error.is_configuration() {
                return Err(error);
            }
            let (failure, wait) = (Failure::from(&error), backoff.pause());
            if let Some(since) = self.outage.failed(Some(partition), &failure, wait, Instant::now()) {
                let hint = failure.hint.unwrap_or_default();
                tracing::warn!(sink = %self.name, %partition, offset, for_s = since.as_secs(), error = %failure.error, hint, "could not write a dead letter; trying again");
            }
            if !sleep(wait, stop).await {
                return Ok(false);
            }
        }
        Ok(false)
    }
}
