//! A record's headers in the form that each client takes. Most records have only the stream's constant headers, which are
//! therefore encoded once.
//!
//! Context headers (`openlineage`, connector and task, and the like) are the same for every record of a stream. In our own
//! producer's form they are bytes that are copied into the record; in librdkafka's they are a list that is cloned, since a
//! produce call takes it.

use pgcdc_event::Record;

use super::direct::HeaderBytes;
use super::librdkafka::Headers;

/// The headers of a stream's records, in our own producer's form: the bytes of the protocol.
#[derive(Debug)]
pub(super) struct DirectHeaders {
    /// For records that get no headers.
    none: HeaderBytes,
    /// The headers that every record gets.
    constant: HeaderBytes,
    /// Room for the headers of one record that has more than the constant ones.
    mixed: HeaderBytes,
}

impl DirectHeaders {
    pub(super) fn new(context: &[(String, String)]) -> Self {
        let mut constant = HeaderBytes::new();
        for (name, value) in context {
            constant.add(name, Some(value.as_bytes()));
        }
        Self { none: HeaderBytes::new(), constant, mixed: HeaderBytes::new() }
    }

    /// A record's headers: its own, with the constant ones inserted where the record says.
    #[inline]
    pub(super) fn of(&mut self, record: &Record<'_>) -> &HeaderBytes {
        match record.context_at {
            Some(_) if !record.has_headers() => &self.constant,
            None if !record.has_headers() => &self.none,
            _ => {
                let Self { constant, mixed, .. } = self;
                mixed.clear();
                in_order(record, mixed, |all, name, value| all.add(name, value), |all| all.extend(constant));
                mixed
            }
        }
    }
}

/// The headers of a stream's records, in librdkafka's form.
#[derive(Debug)]
pub(super) struct LibrdkafkaHeaders {
    /// The headers that every record gets: name and value.
    context: Vec<(String, String)>,
    /// The context as librdkafka's list; copied for each record that has no headers of its own.
    constant: Headers,
}

impl LibrdkafkaHeaders {
    pub(super) fn new(context: &[(String, String)]) -> Self {
        let mut constant = Headers::with_capacity(context.len());
        for (name, value) in context {
            constant.add(name, Some(value.as_bytes()));
        }
        Self { context: context.to_vec(), constant }
    }

    #[inline]
    pub(super) fn of(&self, record: &Record<'_>) -> Option<Headers> {
        match record.context_at {
            Some(_) if !record.has_headers() => Some(self.constant.clone()),
            None if !record.has_headers() => None,
            _ => {
                let mut all = Headers::with_capacity(self.context.len() + 4);
                let context = |all: &mut Headers| {
                    for (name, value) in &self.context {
                        all.add(name, Some(value.as_bytes()));
                    }
                };
                in_order(record, &mut all, |all, name, value| all.add(name, value), context);
                Some(all)
            }
        }
    }
}

/// Adds a record's own headers in their order, and calls `context` at the position of the constant ones.
fn in_order<T>(
    record: &Record<'_>,
    all: &mut T,
    add: impl Fn(&mut T, &str, Option<&[u8]>),
    context: impl Fn(&mut T),
) {
    let mut count = 0;
    for (name, value) in record.headers() {
        if record.context_at == Some(count) {
            context(all);
        }
        add(all, name, value);
        count += 1;
    }
    if record.context_at == Some(count) {
        context(all);
    }
}
