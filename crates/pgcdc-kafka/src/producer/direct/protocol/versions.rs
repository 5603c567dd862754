//! Which version of each request a connection uses.
//!
//! A broker tells the least and the greatest version that it takes of each request (KIP-35). pgcdc uses the greatest that it knows
//! itself, and says whose side is too old when there is none.
//!
//! | release | what its brokers have first | |---|---| | 2.1 | all that pgcdc needs | | 2.4 | flexible versions (KIP-482) | |
//! 2.8 | topic ids (KIP-516) | | 3.7 | the new leader in an answer that refuses a batch (KIP-951) | | 4.0 | partitions that
//! join a transaction by themselves, when the cluster's `transaction.version` is 2 (KIP-890) |

use std::fmt;

/// A request, and the versions of it that pgcdc can write and read.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Api {
    /// Its number in the protocol.
    key: i16,
    /// Its name in Kafka's documentation, for errors.
    name: &'static str,
    /// The oldest version that pgcdc knows.
    least: i16,
    /// The newest.
    most: i16,
    /// The first flexible version (KIP-482).
    flexible: i16,
}

/// Batches for partitions. From version 9 on flexible; an answer of version 10 and later may name the new leader (KIP-951);
/// version 12 adds the partitions to the open transaction (KIP-890).
pub(in super::super) const PRODUCE: &Api = &Api { key: 0, name: "Produce", least: 7, most: 12, flexible: 9 };
/// Brokers, and the leaders of topics' partitions. Version 7 has leader epochs (KIP-320), version 10 topic ids (KIP-516).
pub(in super::super) const METADATA: &Api =
    &Api { key: 3, name: "Metadata", least: 4, most: 12, flexible: 9 };
/// Which broker coordinates the transactions of an id. Version 4 takes several ids.
pub(in super::super) const FIND_COORDINATOR: &Api =
    &Api { key: 10, name: "FindCoordinator", least: 1, most: 6, flexible: 3 };
/// A producer's id and epoch.
pub(in super::super) const INIT_PRODUCER_ID: &Api =
    &Api { key: 22, name: "InitProducerId", least: 1, most: 5, flexible: 2 };
/// Adds partitions to the open transaction. Later versions are for brokers only.
pub(in super::super) const ADD_PARTITIONS: &Api =
    &Api { key: 24, name: "AddPartitionsToTxn", least: 1, most: 3, flexible: 3 };
/// Commits or aborts a transaction. The answer of version 5 has the epoch of the next transaction (KIP-890).
pub(in super::super) const END: &Api = &Api { key: 26, name: "EndTxn", least: 1, most: 5, flexible: 3 };
/// The versions that a broker takes. A broker that does not have the version of this request itself answers by version 0.
pub(in super::super) const API_VERSIONS: &Api =
    &Api { key: 18, name: "ApiVersions", least: 0, most: 3, flexible: 3 };
/// Begins a login.
pub(in super::super) const SASL_HANDSHAKE: &Api =
    &Api { key: 17, name: "SaslHandshake", least: 1, most: 1, flexible: i16::MAX };
/// Carries a message of a login. Version 1 tells how long the session lasts (KIP-368).
pub(in super::super) const SASL_AUTHENTICATE: &Api =
    &Api { key: 36, name: "SaslAuthenticate", least: 0, most: 2, flexible: 2 };

/// The requests that are compared with the broker's ranges.
const COMPARED: [&Api; 8] = [
    PRODUCE,
    METADATA,
    FIND_COORDINATOR,
    INIT_PRODUCER_ID,
    ADD_PARTITIONS,
    END,
    SASL_HANDSHAKE,
    SASL_AUTHENTICATE,
];
/// So many of them every connection needs; the others are for logins.
const NEEDED: usize = 6;

/// The greatest version of `Produce` that leaves transactions to `AddPartitionsToTxn`.
const LAST_EXPLICIT_PRODUCE: i16 = 11;
/// The greatest version of `EndTxn` that keeps the epoch.
const LAST_EXPLICIT_END: i16 = 4;
/// The feature whose level tells how transactions work, and the level from which on partitions join by themselves.
const FEATURE: (&str, i16) = ("transaction.version", 2);

/// A request in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Version {
    /// The request's number in the protocol.
    pub(super) key: i16,
    /// The version.
    pub(super) number: i16,
    /// Whether lengths are varints and structures end with tagged fields (KIP-482).
    pub(super) flexible: bool,
    /// Whether tagged fields follow the answer's head.
    pub(super) flexible_head: bool,
}

impl Api {
    /// The request in this version.
    pub(in super::super) const fn version(&self, number: i16) -> Version {
        let flexible = number >= self.flexible;
        // A client that asks for versions does not know yet which heads the broker writes (KIP-511).
        let flexible_head = flexible && self.key != API_VERSIONS.key;
        Version { key: self.key, number, flexible, flexible_head }
    }

    /// The newest version that pgcdc knows.
    pub(in super::super) const fn newest(&self) -> Version {
        self.version(self.most)
    }

    /// The oldest version that pgcdc knows.
    pub(in super::super) const fn oldest(&self) -> Version {
        self.version(self.least)
    }
}

/// What a broker told of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Told {
    /// The error code; zero when the rest is complete.
    pub(in super::super) error: i16,
    /// Each request's number, and the least and the greatest version that the broker takes.
    pub(in super::super) ranges: Vec<(i16, i16, i16)>,
    /// The level of `transaction.version` that all brokers of the cluster have; zero when it was not told.
    pub(in super::super) transactions: i16,
}

/// The name and level of a feature, as a broker told it.
pub(super) fn transactions(name: &str, level: i16) -> Option<i16> {
    (name == FEATURE.0).then_some(level)
}

/// Which version of each request a connection uses. Copied about: it is a few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Versions {
    /// In the order of `COMPARED`.
    numbers: [i16; COMPARED.len()],
    /// Partitions join a transaction when the first batch goes to them (KIP-890).
    implicit: bool,
}

/// A request of which the two sides have no version in common.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Apart {
    /// The request, with pgcdc's range.
    api: &'static Api,
    /// The broker's range; `None` when it does not have the request.
    theirs: Option<(i16, i16)>,
}

impl Versions {
    /// The newest versions that both sides have.
    ///
    /// # Errors
    /// The first request without one.
    pub(in super::super) fn agree(told: &Told) -> Result<Self, Apart> {
        let mut numbers = [0; COMPARED.len()];
        for (at, api) in COMPARED.into_iter().enumerate() {
            let theirs = told.ranges.iter().find(|(key, ..)| *key == api.key);
            let theirs = theirs.map(|(_, least, most)| (*least, *most));
            let common = theirs.and_then(|(least, most)| {
                let most = most.min(api.most);
                (most >= least.max(api.least)).then_some(most)
            });
            numbers[at] = match common {
                Some(number) => number,
                None if at < NEEDED => return Err(Apart { api, theirs }),
                // The broker says by itself that it takes no login.
                None => api.least,
            };
        }
        let mut versions = Self { numbers, implicit: false };
        versions.implicit = told.transactions >= FEATURE.1
            && versions.number(PRODUCE) > LAST_EXPLICIT_PRODUCE
            && versions.number(END) > LAST_EXPLICIT_END;
        Ok(versions)
    }

    /// The version of a request that both sides have.
    fn number(&self, api: &Api) -> i16 {
        let at = COMPARED.iter().position(|known| known.key == api.key);
        at.map_or(api.least, |at| self.numbers[at])
    }

    /// The version of a request that is the same with transactions and without.
    pub(in super::super) fn of(&self, api: &Api) -> Version {
        api.version(self.number(api))
    }

    /// Whether the cluster lets partitions join a transaction by themselves (`transaction.version` 2, KIP-890).
    pub(in super::super) const fn has_implicit_transactions(&self) -> bool {
        self.implicit
    }

    /// The version of [`PRODUCE`]. `joins` says whether partitions join a transaction by it; a producer without transactions may
    /// say either.
    pub(in super::super) fn produce(&self, joins: bool) -> Version {
        let number = self.number(PRODUCE);
        PRODUCE.version(if joins { number } else { number.min(LAST_EXPLICIT_PRODUCE) })
    }

    /// The version of [`END`] for a transaction whose partitions joined by themselves (`joins`), or were added.
    pub(in super::super) fn end(&self, joins: bool) -> Version {
        let number = self.number(END);
        END.version(if joins { number } else { number.min(LAST_EXPLICIT_END) })
    }
}

impl Apart {
    /// What a person can do.
    pub(in super::super) fn hint(&self) -> &'static str {
        match self.theirs {
            Some((least, _)) if least > self.api.most => "the broker is newer than this pgcdc: update pgcdc",
            _ => "pgcdc needs Kafka 2.1 or later: update the broker",
        }
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Api { name, least, most, .. } = self.api;
        write!(
            f,
            "no version of request {name} in common: pgcdc has versions {least} to {most}, the broker "
        )?;
        match self.theirs {
            Some((least, most)) => write!(f, "{least} to {most}"),
            None => f.write_str("does not have the request"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker with these ranges, in the order of `COMPARED`.
    fn told(ranges: &[(i16, i16)], transactions: i16) -> Told {
        let ranges =
            COMPARED.iter().zip(ranges).map(|(api, (least, most))| (api.key, *least, *most)).collect();
        Told { error: 0, ranges, transactions }
    }

    const NEW: [(i16, i16); 8] = [(0, 13), (0, 13), (0, 6), (0, 6), (0, 5), (0, 5), (0, 1), (0, 2)];

    #[test]
    fn the_newest_version_that_both_have_is_used() {
        let new = Versions::agree(&told(&NEW, 2)).unwrap();
        assert!(new.has_implicit_transactions());
        assert_eq!((new.produce(true).number, new.produce(false).number), (12, 11));
        assert_eq!((new.end(true).number, new.end(false).number), (5, 4));
        assert_eq!(new.of(METADATA), METADATA.newest());
        // The same broker in a cluster that was not told to use the feature.
        assert!(!Versions::agree(&told(&NEW, 1)).unwrap().has_implicit_transactions());
        let old = [(0, 7), (0, 7), (0, 2), (0, 1), (0, 1), (0, 1)];
        let old = Versions::agree(&told(&old, 2)).unwrap();
        assert!(!old.has_implicit_transactions());
        assert_eq!((old.produce(true).number, old.of(INIT_PRODUCER_ID).number), (7, 1));
        assert!(!old.produce(true).flexible && new.produce(true).flexible);
    }

    #[test]
    fn both_ranges_are_told_when_they_do_not_meet() {
        let mut ranges = NEW;
        ranges[0] = (0, 6);
        let old = Versions::agree(&told(&ranges, 0)).unwrap_err();
        let text = "no version of request Produce in common: pgcdc has versions 7 to 12, the broker 0 to 6";
        assert_eq!(old.to_string(), text);
        assert!(old.hint().contains("update the broker"));
        ranges[0] = (13, 15);
        let new = Versions::agree(&told(&ranges, 0)).unwrap_err();
        assert!(new.to_string().ends_with("the broker 13 to 15") && new.hint().contains("update pgcdc"));
        let none = Versions::agree(&Told::default()).unwrap_err();
        assert!(none.to_string().ends_with("the broker does not have the request"));
    }
}
