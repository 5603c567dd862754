//! How many batches of a partition may be on their way to its leader, as a state machine without a clock or a socket.
//!
//! ```text
//!            sent            taken               sent (up to 5 in flight)
//!   ┌─▶ Idle ─────▶ Probing ───────▶ Streaming ◀────────┐
//!   │    ▲             │              │  │  └────────────┘
//!   │    │ forget      │ refused      │  │ refused, or the leader moved,
//!   │    └─────────────┼──────────────┘  │ with batches in flight
//!   │                  │ leader moved    ▼
//!   │                  ├───────────▶ Draining ──┐ answered: one batch in flight fewer
//!   │ resume           ▼                │  ▲────┘
//!   └─────────────── Parked ◀───────────┘
//!                           park: nothing is in flight any more
//! ```
//! A broker that does not know the producer accepts any sequence number first. If it refused the first of two batches and
//! then took the second, the first could never follow. That is why [`Idle`](Flow::Idle) sends one batch and waits for its
//! answer, and why a failed batch is sent again only after all batches behind it are answered.

use std::time::{Duration, Instant};

/// Batches of one partition that may be in flight to a proven leader: a broker recognises repetitions of the last five.
const MOST_IN_FLIGHT: usize = 5;

/// What a partition is doing. The [module](self) draws the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Nothing is in flight, and the leader has not taken a batch since the start or the last failure.
    Idle,
    /// The first batch is in flight; no other may follow it before its answer.
    Probing,
    /// The leader takes batches: up to five may be in flight.
    Streaming {
        /// Batches that were sent and are not answered yet.
        in_flight: usize,
        /// When the leader last took a batch.
        taken: Instant,
    },
    /// A batch failed, or the leader moved. Nothing is sent until all batches in flight are answered.
    Draining {
        /// Batches that were sent and are not answered yet. Zero until the next [`park`](Flow::park).
        in_flight: usize,
    },
    /// Nothing is in flight, and nothing is sent before this time.
    Parked {
        /// When to send the queue again, from its front.
        until: Instant,
    },
}

impl Flow {
    /// Batches that were sent and are not answered yet.
    pub(super) const fn in_flight(self) -> usize {
        match self {
            Self::Idle | Self::Parked { .. } => 0,
            Self::Probing => 1,
            Self::Streaming { in_flight, .. } | Self::Draining { in_flight } => in_flight,
        }
    }

    /// Whether another batch may be sent now.
    pub(super) const fn may_send(self) -> bool {
        match self {
            Self::Idle => true,
            Self::Streaming { in_flight, .. } => in_flight < MOST_IN_FLIGHT,
            Self::Probing | Self::Draining { .. } | Self::Parked { .. } => false,
        }
    }

    /// Whether a batch has to be sent again, once all batches in flight are answered.
    pub(super) const fn is_draining(self) -> bool {
        matches!(self, Self::Draining { .. })
    }

    /// Notes that a batch was sent. Only called when [`may_send`](Self::may_send).
    pub(super) const fn on_sent(&mut self) {
        match self {
            Self::Idle => *self = Self::Probing,
            Self::Streaming { in_flight, .. } => *in_flight += 1,
            Self::Probing | Self::Draining { .. } | Self::Parked { .. } => {}
        }
    }

    /// Notes that the leader took a batch.
    pub(super) const fn on_taken(&mut self, now: Instant) {
        match self {
            Self::Probing => *self = Self::Streaming { in_flight: 0, taken: now },
            Self::Streaming { in_flight, taken } => {
                *in_flight = in_flight.saturating_sub(1);
                *taken = now;
            }
            Self::Draining { in_flight } => *in_flight = in_flight.saturating_sub(1),
            Self::Idle | Self::Parked { .. } => {}
        }
    }

    /// Notes that a batch was refused, or lost with its connection: it has to be sent again.
    pub(super) const fn on_failed(&mut self) {
        *self = Self::Draining { in_flight: self.in_flight().saturating_sub(1) };
    }

    /// Notes that the partition has another leader, or none. Batches in flight are answered first: a batch that is sent to
    /// the new leader must not overtake them.
    pub(super) const fn on_leader_moved(&mut self) {
        if self.in_flight() > 0 {
            *self = Self::Draining { in_flight: self.in_flight() };
        }
    }

    /// Notes that the leader does not know the producer any more: the topic was made anew, or the producer has another epoch. One
    /// batch proves it before others follow.
    pub(super) const fn on_stranger(&mut self) {
        match self {
            Self::Probing | Self::Streaming { in_flight: 1.., .. } => {
                *self = Self::Draining { in_flight: self.in_flight() };
            }
            Self::Streaming { .. } => *self = Self::Idle,
            Self::Idle | Self::Draining { .. } | Self::Parked { .. } => {}
        }
    }

    /// Parks a partition whose last batch in flight was answered while it drained. True when it did: the queue is then to be
    /// sent again from its front.
    pub(super) fn park(&mut self, until: Instant) -> bool {
        let drained = *self == Self::Draining { in_flight: 0 };
        if drained {
            *self = Self::Parked { until };
        }
        drained
    }

    /// Ends a pause that is over.
    pub(super) fn resume(&mut self, now: Instant) {
        if matches!(self, Self::Parked { until } if *until <= now) {
            *self = Self::Idle;
        }
    }

    /// Probes a leader again that has been sent nothing for longer than `limit`: it may have forgotten the producer.
    pub(super) fn forget(&mut self, now: Instant, limit: Duration) {
        if matches!(self, Self::Streaming { in_flight: 0, taken } if now.duration_since(*taken) > limit) {
            *self = Self::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streaming(in_flight: usize, taken: Instant) -> Flow {
        Flow::Streaming { in_flight, taken }
    }

    /// Applies a transition and gives the state after it.
    fn after(mut flow: Flow, transition: impl FnOnce(&mut Flow)) -> Flow {
        transition(&mut flow);
        flow
    }

    #[test]
    fn one_batch_is_sent_before_the_leader_has_taken_one() {
        let now = Instant::now();
        assert!(Flow::Idle.may_send());
        assert_eq!(after(Flow::Idle, Flow::on_sent), Flow::Probing);
        assert!(!Flow::Probing.may_send());
        assert_eq!(after(Flow::Probing, |flow| flow.on_taken(now)), streaming(0, now));
    }

    #[test]
    fn five_batches_are_in_flight_at_most() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut flow = streaming(0, now);
        for _ in 0..MOST_IN_FLIGHT {
            assert!(flow.may_send());
            flow.on_sent();
        }
        assert_eq!((flow.may_send(), flow.in_flight()), (false, 5));
        flow.on_taken(later);
        assert_eq!((flow, flow.may_send()), (streaming(4, later), true));
    }

    #[test]
    fn a_failure_waits_for_the_batches_behind_it_and_then_parks() {
        let now = Instant::now();
        let mut flow = after(streaming(3, now), Flow::on_failed);
        assert_eq!(flow, Flow::Draining { in_flight: 2 });
        assert!(!flow.may_send() && flow.is_draining());
        assert!(!flow.park(now), "two answers are still to come");
        flow.on_taken(now);
        flow.on_failed();
        assert_eq!(flow, Flow::Draining { in_flight: 0 });
        assert!(flow.park(now));
        assert_eq!((flow, flow.may_send()), (Flow::Parked { until: now }, false));
        assert!(!flow.park(now), "it parks once");
    }

    #[test]
    fn a_probe_that_fails_parks_at_once() {
        let now = Instant::now();
        let mut flow = after(Flow::Probing, Flow::on_failed);
        assert!(flow.park(now));
    }

    #[test]
    fn a_pause_ends_at_its_time_and_the_leader_is_probed() {
        let now = Instant::now();
        let until = now + Duration::from_millis(100);
        assert_eq!(after(Flow::Parked { until }, |flow| flow.resume(now)), Flow::Parked { until });
        assert_eq!(after(Flow::Parked { until }, |flow| flow.resume(until)), Flow::Idle);
        let draining = Flow::Draining { in_flight: 1 };
        assert_eq!(after(draining, |flow| flow.resume(until)), draining);
    }

    #[test]
    fn a_move_of_the_leader_drains_only_what_is_in_flight() {
        let now = Instant::now();
        assert_eq!(after(Flow::Idle, Flow::on_leader_moved), Flow::Idle);
        assert_eq!(after(Flow::Probing, Flow::on_leader_moved), Flow::Draining { in_flight: 1 });
        assert_eq!(after(streaming(2, now), Flow::on_leader_moved), Flow::Draining { in_flight: 2 });
        assert_eq!(after(streaming(0, now), Flow::on_leader_moved), streaming(0, now));
    }

    #[test]
    fn a_leader_that_knows_the_producer_no_more_is_probed() {
        let now = Instant::now();
        assert_eq!(after(streaming(0, now), Flow::on_stranger), Flow::Idle);
        assert_eq!(after(streaming(2, now), Flow::on_stranger), Flow::Draining { in_flight: 2 });
        assert_eq!(after(Flow::Probing, Flow::on_stranger), Flow::Draining { in_flight: 1 });
        assert_eq!(after(Flow::Parked { until: now }, Flow::on_stranger), Flow::Parked { until: now });
    }

    #[test]
    fn a_long_silence_makes_the_leader_a_stranger() {
        let now = Instant::now();
        let (limit, late) = (Duration::from_secs(600), now + Duration::from_secs(601));
        assert_eq!(after(streaming(0, now), |flow| flow.forget(late, limit)), Flow::Idle);
        assert_eq!(after(streaming(1, now), |flow| flow.forget(late, limit)), streaming(1, now));
        assert_eq!(after(streaming(0, late), |flow| flow.forget(late, limit)), streaming(0, late));
    }
}
