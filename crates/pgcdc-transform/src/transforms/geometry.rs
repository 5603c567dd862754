//! Debezium's `SwapGeometryCoordinates` and `GeometryFormatTransformer`: they rewrite PostGIS values.
//!
//! Classes: `io.debezium.transforms.SwapGeometryCoordinates` and `io.debezium.transforms.GeometryFormatTransformer`.
//!
//! `SwapGeometryCoordinates` swaps x and y of each point, for consumers that expect latitude before longitude:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `srids` | `4326,3857,4269` | the reference systems whose points are swapped |
//!
//! `GeometryFormatTransformer` turns well-known binary (WKB) into the extended form (EWKB), which has the number of the
//! reference system in its bytes, or back:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `format` | `wkb` | the form of the values that *come*: `wkb` becomes EWKB, `ewkb` becomes WKB |
//!
//! The first extended value fixes the direction for all later values, whatever `format` says, as in Debezium.
//!
//! Both change fields with the schema `io.debezium.data.geometry.Geometry`, at any depth of structs; the first one also
//! changes the elements of arrays. A field of type `point` has another schema and stays as it is. So do values without a
//! reference system, and a record without a struct, such as a tombstone.
//!
//! Bytes that are no geometry are an error when they are swapped. The other transform leaves them as they are.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let record = |wkb: &str| {
//!     format!(r#"{{"value":{{"shape":{{"wkb":"{wkb}","srid":4326}}}},
//!         "types":{{"shape":"io.debezium.data.geometry.Geometry","wkb":"bytes"}}}}"#)
//! };
//! // The point (1 2): one byte for the byte order, four for the type, eight for each coordinate; in base64.
//! let before = record("AQEAAAAAAAAAAADwPwAAAAAAAABA");
//! let after = try_on("type=io.debezium.transforms.SwapGeometryCoordinates", &before);
//! assert_eq!(after, r#"{"value":{"shape":{"wkb":"AQEAAAAAAAAAAAAAQAAAAAAAAPA/","srid":4326}}}"#);
//! ```

use std::sync::Arc;

use super::transform::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::{Kind, Record, Schema, Side, Struct, Value};
use crate::options::{Options, java_split};

/// The schema of the values that both transforms change. Points have another schema and are left alone.
const GEOMETRY: &str = "io.debezium.data.geometry.Geometry";
/// Reference systems whose axes are swapped unless `srids` says otherwise.
const SWAPPED: [i32; 3] = [4326, 3857, 4269];
/// The bit of a geometry's type that says that its reference system follows.
const HAS_SRID: u32 = 0x2000_0000;
/// The bits that say that each point has a third coordinate, and a measure.
const HAS_Z: u32 = 0x8000_0000;
const HAS_M: u32 = 0x4000_0000;
/// How deep geometries may be nested; PostGIS allows less.
const DEEPEST: usize = 200;

/// How a geometry's bytes are changed.
#[derive(Debug)]
enum Geometry {
    /// `SwapGeometryCoordinates`, for these reference systems.
    Swap(Vec<i32>),
    /// `GeometryFormatTransformer`: whether the extended form becomes the plain one, or the other way round. Its option
    /// `format` names the form that is read, and the first extended geometry fixes the direction.
    Plain(bool),
}

pub(super) fn swap(options: &mut Options<'_>) -> Built {
    const LIST: &str = "srids";
    let Some(list) = options.raw(LIST) else {
        return Some(Box::new(Geometry::Swap(SWAPPED.to_vec())));
    };
    let numbers: Result<Vec<i32>, _> = java_split(list, ',').iter().map(|item| item.trim().parse()).collect();
    match numbers {
        Ok(numbers) => Some(Box::new(Geometry::Swap(numbers))),
        Err(_) => {
            options.problem(LIST, format!("{list:?} is not a list of numbers; write, say, 4326,3857"));
            None
        }
    }
}

pub(super) fn format(options: &mut Options<'_>) -> Built {
    let takes_extended = options.word("format", &[("wkb", false), ("ewkb", true)], false);
    Some(Box::new(Geometry::Plain(takes_extended)))
}

impl Transform for Geometry {
    fn keeps_headers(&self) -> bool {
        true
    }

    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let Some(value) = record.value.as_struct() else { return Ok(Some(record)) };
        let changed = self.structs(value)?;
        let schema = record.value_schema.clone();
        Ok(Some(record.with(Side::Value, schema, Value::Struct(changed.into()))))
    }
}

impl Geometry {
    /// Changes all fields of a struct. A null with a default becomes the default, as in Debezium.
    fn structs(&mut self, old: &Struct) -> Result<Struct, Fault> {
        let mut new = old.clone();
        for (at, field) in old.schema().fields().iter().enumerate() {
            new.put_at(at, self.value(old.at(at), &field.schema)?)?;
        }
        Ok(new)
    }

    /// Changes one value. Only the swap looks into arrays, as in Debezium.
    fn value(&mut self, value: &Value, schema: &Schema) -> Result<Value, Fault> {
        let nested = matches!(self, Self::Swap(_));
        Ok(match value {
            Value::Struct(inner) if schema.name() == Some(GEOMETRY) => {
                Value::Struct(self.geometry(inner)?.into())
            }
            Value::Struct(inner) => Value::Struct(self.structs(inner)?.into()),
            Value::Array(items) if nested && schema.kind() == Kind::Array => {
                let Some(of) = schema.value_schema() else { return Ok(value.clone()) };
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item, of)).collect();
                Value::Array(items?.into())
            }
            other => other.clone(),
        })
    }

    /// Changes the bytes (`wkb`) of a geometry; its number of the reference system (`srid`) decides.
    fn geometry(&mut self, old: &Struct) -> Result<Struct, Fault> {
        let srid = match old.typed("srid", Kind::Int32)? {
            Value::Int32(srid) => Some(*srid),
            _ => None,
        };
        let Value::Bytes(wkb) = old.typed("wkb", Kind::Bytes)? else { return Ok(old.clone()) };
        let changed = match (self, srid) {
            (Self::Swap(srids), Some(srid)) if srids.contains(&srid) => Some(swapped(wkb)?),
            (Self::Swap(_), _) => None,
            (Self::Plain(to_plain), srid) => {
                *to_plain |= is_extended(wkb);
                reformed(wkb, !*to_plain, srid)
            }
        };
        let mut new = old.clone();
        if let Some(changed) = changed {
            new.put("wkb", Value::Bytes(changed.into()))?;
        }
        Ok(new)
    }
}

/// Whether the bytes carry the number of the reference system.
fn is_extended(wkb: &[u8]) -> bool {
    wkb.get(1..5).is_some_and(|kind| read_u32(wkb[0], kind) & HAS_SRID != 0)
}

/// The other form of a geometry; `None` when it has that form already, or cannot have it.
fn reformed(wkb: &[u8], extended: bool, srid: Option<i32>) -> Option<Vec<u8>> {
    let (order, kind) = (*wkb.first()?, wkb.get(1..5)?);
    let kind = read_u32(order, kind);
    let mut out = Vec::with_capacity(wkb.len() + 4);
    out.push(order);
    match (kind & HAS_SRID != 0, extended) {
        (false, true) => {
            out.extend_from_slice(&write_u32(order, kind | HAS_SRID));
            out.extend_from_slice(&write_u32(order, srid?.cast_unsigned()));
            out.extend_from_slice(&wkb[5..]);
        }
        (true, false) => {
            out.extend_from_slice(&write_u32(order, kind & !HAS_SRID));
            out.extend_from_slice(wkb.get(9..)?);
        }
        _ => return None,
    }
    Some(out)
}

/// The bytes with x and y of each point swapped. Bytes behind the geometry are cut off, as in Debezium.
fn swapped(wkb: &Arc<[u8]>) -> Result<Vec<u8>, Fault> {
    let mut out = wkb.to_vec();
    let mut walk = Walk { bytes: &mut out, at: 0 };
    walk.geometry(0).ok_or_else(|| Fault::debezium("Failed to swap EWKB/WKB coordinates"))?;
    let end = walk.at;
    out.truncate(end);
    Ok(out)
}

/// Reads a geometry's bytes; `None` where they end too early.
struct Walk<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Walk<'_> {
    /// Walks over one geometry and swaps its points. The types are 1 point, 2 line, 3 polygon, 4 to 7 collections, whose
    /// members have a byte order of their own.
    fn geometry(&mut self, depth: usize) -> Option<()> {
        let order = *self.take(1)?.first()?;
        let kind = self.number(order)?;
        let dimensions = 2 + usize::from(kind & HAS_Z != 0) + usize::from(kind & HAS_M != 0);
        if kind & HAS_SRID != 0 {
            self.take(4)?;
        }
        match kind & 0xff {
            1 => self.point(dimensions),
            2 => self.points(order, dimensions),
            3 => (0..self.number(order)?).try_for_each(|_| self.points(order, dimensions)),
            4..=7 if depth < DEEPEST => (0..self.number(order)?).try_for_each(|_| self.geometry(depth + 1)),
            _ => None,
        }
    }

    fn points(&mut self, order: u8, dimensions: usize) -> Option<()> {
        (0..self.number(order)?).try_for_each(|_| self.point(dimensions))
    }

    fn point(&mut self, dimensions: usize) -> Option<()> {
        let (x, y) = self.take(8 * dimensions)?.split_at_mut(8);
        x.swap_with_slice(&mut y[..8]);
        Some(())
    }

    fn number(&mut self, order: u8) -> Option<u32> {
        self.take(4).map(|bytes| read_u32(order, bytes))
    }

    fn take(&mut self, count: usize) -> Option<&mut [u8]> {
        let taken = self.bytes.get_mut(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }
}

/// Reads four bytes in the geometry's byte order: 1 is little endian.
fn read_u32(order: u8, bytes: &[u8]) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[..4]);
    if order == 1 { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
}

fn write_u32(order: u8, number: u32) -> [u8; 4] {
    if order == 1 { number.to_le_bytes() } else { number.to_be_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(order: u8, kind: u32, srid: Option<u32>, xy: [f64; 2]) -> Vec<u8> {
        let mut out = vec![order];
        out.extend(write_u32(order, kind));
        out.extend(srid.into_iter().flat_map(|srid| write_u32(order, srid)));
        for number in xy {
            out.extend(if order == 1 { number.to_le_bytes() } else { number.to_be_bytes() });
        }
        out
    }

    #[test]
    fn coordinates_are_swapped_in_either_byte_order_and_inside() {
        for order in [0, 1] {
            let wkb: Arc<[u8]> = point(order, 1 | HAS_SRID, Some(4326), [1.0, 2.0]).into();
            assert_eq!(swapped(&wkb).expect("a point"), point(order, 1 | HAS_SRID, Some(4326), [2.0, 1.0]));
        }
        let collection = |xy| {
            let mut out = vec![1, 7, 0, 0, 0, 1, 0, 0, 0];
            out.extend(point(0, 1, None, xy));
            out
        };
        let wkb: Arc<[u8]> = collection([1.0, 2.0]).into();
        assert_eq!(swapped(&wkb).expect("a collection"), collection([2.0, 1.0]));
    }

    #[test]
    fn what_ends_too_early_or_claims_too_much_is_an_error() {
        for bytes in
            [&b""[..], b"\x01", b"\x01\x01\0\0\0\0", b"\x01\x02\0\0\0\xff\xff\xff\xff", b"\x01\x63\0\0\0"]
        {
            assert!(swapped(&bytes.into()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn forms_turn_into_each_other() {
        let (plain, extended) = (point(1, 1, None, [1.0, 2.0]), point(1, 1 | HAS_SRID, Some(7), [1.0, 2.0]));
        assert_eq!(reformed(&plain, true, Some(7)), Some(extended.clone()));
        assert_eq!(reformed(&extended, false, Some(7)), Some(plain.clone()));
        assert_eq!(reformed(&plain, false, Some(7)), None);
        assert_eq!(reformed(&plain, true, None), None);
    }
}
