//! Answers as brokers write them, in the old form and in the flexible one; and none of their beginnings.

use super::super::versions::{API_VERSIONS, METADATA, PRODUCE};
use super::*;

fn answer(bytes: &[u8], version: Version) -> Answer<'_> {
    Answer { rest: bytes, version }
}

#[test]
fn metadata_is_read_and_none_of_its_beginnings() {
    let bytes = [
        &[0; 4][..],
        &[0, 0, 0, 1, 0, 0, 0, 7, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff],
        &[0xff, 0xff, 0, 0, 0, 7],
        &[0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 2],
        &[0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0],
        &[0, 5, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let version = METADATA.oldest();
    let metadata = answer(&bytes, version).metadata().unwrap();
    assert_eq!(metadata.brokers, [(7, "h:9092".to_owned())]);
    let partition = |number, leader| PartitionMetadata { number, leader, epoch: -1 };
    let partitions = vec![partition(1, Some(7)), partition(0, None)];
    assert_eq!(metadata.topics, [TopicMetadata { error: 0, name: "ab".to_owned(), id: None, partitions }]);
    for end in 0..bytes.len() {
        assert_eq!(answer(&bytes[..end], version).metadata(), None);
    }
}

#[test]
fn flexible_metadata_has_ids_and_epochs() {
    let bytes = [
        &[0; 4][..],
        // One broker, with a tagged field that nobody knows.
        &[2, 0, 0, 0, 7, 2, b'h', 0, 0, 0x23, 0x84, 0, 1, 9, 2, 1, 1],
        &[0, 0, 0, 0, 7, 2, 0, 0, 3, b'a', b'b'],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2],
        &[0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 5, 2, 0, 0, 0, 7, 1, 1, 0],
        &[0x80, 0, 0, 0, 0],
    ]
    .concat();
    let version = METADATA.newest();
    let metadata = answer(&bytes, version).metadata().unwrap();
    assert_eq!(metadata.brokers, [(7, "h:9092".to_owned())]);
    let partitions = vec![PartitionMetadata { number: 3, leader: Some(7), epoch: 5 }];
    assert_eq!(
        metadata.topics,
        [TopicMetadata { error: 0, name: "ab".to_owned(), id: Some(258), partitions }]
    );
    for end in 0..bytes.len() {
        assert_eq!(answer(&bytes[..end], version).metadata(), None);
    }
}

#[test]
fn a_broker_that_does_not_lead_names_the_leader() {
    let bytes = [
        &[2, 2, b't', 2, 0, 0, 0, 1, 0, 6][..],
        &[0; 24],
        // No refused records, no message; the leader and its epoch.
        &[1, 0, 1, 0, 9, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0],
        &[0, 0, 0, 50],
        &[1, 0, 14, 2, 0, 0, 0, 3, 2, b'h', 0, 0, 0, 9, 0, 0],
    ]
    .concat();
    // The tagged field of addresses has 13 bytes, and one for the list's length.
    let bytes = [&bytes[..bytes.len() - 16], &[1, 0, 13], &bytes[bytes.len() - 13..]].concat();
    let version = PRODUCE.version(10);
    let mut told = Vec::new();
    let mut read = |bytes: &[u8]| {
        answer(bytes, version).produce(|topic, partition, error, leader| {
            told.push((topic.to_owned(), partition, error, leader));
        })
    };
    let produced = read(&bytes).unwrap();
    assert_eq!(produced.throttle, Some(Duration::from_millis(50)));
    assert_eq!(produced.brokers, [(3, "h:9".to_owned())]);
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]), None);
    }
    assert_eq!(told[0], ("t".to_owned(), 1, 6, Some(CurrentLeader { id: 3, epoch: 8 })));
}

#[test]
fn versions_are_read_with_the_cluster_s_features() {
    let feature = [&[2, 20][..], b"transaction.version", &[0, 2, 0, 0, 0]].concat();
    let size = u8::try_from(feature.len()).unwrap();
    let bytes = [&[0, 0, 2, 0, 3, 0, 0, 0, 12, 0, 0, 0, 0, 0, 1, 2, size][..], &feature].concat();
    let told = answer(&bytes, API_VERSIONS.newest()).api_versions().unwrap();
    assert_eq!((told.ranges, told.transactions), (vec![(3, 0, 12)], 2));
    let refused = answer(&[0, 35, 0, 0], API_VERSIONS.newest()).api_versions().unwrap();
    assert_eq!(refused.error, 35);
}
