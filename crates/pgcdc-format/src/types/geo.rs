//! Geometric types: Debezium's `Point`, `Geometry`, `Circle` and `Line`, and PostGIS.
//!
//! | type | Postgres prints | record |
//! |---|---|---|
//! | `point` | `(1,2)` | `{"x":1.0,"y":2.0,"wkb":…,"srid":null}` |
//! | `line` | `{1,2,3}` | `{"a":1.0,"b":2.0,"c":3.0}` |
//! | `circle` | `<(1,2),3>` | `{"center":{point},"radius":3.0}` |
//! | `box`, `polygon` | `(2,2),(1,1)`, `((0,0),(1,0),(0,1))` | `Geometry` of a polygon of one closed ring |
//! | `lseg`, `path` | `[(0,0),(1,0)]`, `((0,0),(1,0))` when closed | `Geometry` of a line string |
//! | PostGIS `geometry`, `geography` | EWKB in hexadecimal digits | the same bytes, and its SRID |
//!
//! A `Geometry` is `{"wkb":…,"srid":…,"extensions":…}`; `extensions` names the Postgres type, and of a path whether it is
//! closed. WKB ("well-known binary") is a byte for the byte order, 4 bytes for the type, then counts and coordinates as
//! doubles. EWKB adds the number of the spatial reference system (SRID) where a bit of the type says so.
//!
//! Source: PostgreSQL manual, "Geometric Types"; Debezium's documentation, "PostgreSQL point types" and "PostGIS types"; OGC
//! Simple Feature Access, "Well-known Binary".

use super::binary::nibble;
use super::fault::Fault;
use crate::java::append_f64;
use crate::json::{write_base64, write_int};

const BAD: Fault = Fault::Bad("not a geometric value");

/// A geometric type of Postgres or of PostGIS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Point,
    Box,
    Lseg,
    Path,
    Polygon,
    Circle,
    Line,
    /// PostGIS `geometry`.
    Geometry,
    /// PostGIS `geography`.
    Geography,
}

impl Shape {
    /// Appends a shape as a JSON object. NaN and the infinities are numbers here as in other types.
    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if matches!(self, Self::Geometry | Self::Geography) {
            return self.append_ewkb(text, out);
        }
        let numbers = numbers(text)?;
        match (self, numbers.as_slice()) {
            (Self::Point, &[x, y]) => append_point(x, y, out),
            (Self::Line, &[a, b, c]) => {
                append_member(b"{\"a\":", a, out);
                append_member(b",\"b\":", b, out);
                append_member(b",\"c\":", c, out);
                out.push(b'}');
            }
            (Self::Circle, &[x, y, radius]) => {
                out.extend_from_slice(b"{\"center\":");
                append_point(x, y, out);
                append_member(b",\"radius\":", radius, out);
                out.push(b'}');
            }
            (Self::Box, &[x1, y1, x2, y2]) => {
                let ring = [x1, y1, x1, y2, x2, y2, x2, y1, x1, y1];
                append_geometry(&polygon(&ring), b"\"type\":\"box\"", out);
            }
            (Self::Lseg, points @ &[_, _, _, _]) => {
                append_geometry(&line_string(points), b"\"type\":\"lseg\"", out);
            }
            (Self::Path, points) if !points.is_empty() && points.len() % 2 == 0 => {
                let closed: &[u8] = if text.first() == Some(&b'(') {
                    b"\"type\":\"path\",\"closed\":\"true\""
                } else {
                    b"\"type\":\"path\",\"closed\":\"false\""
                };
                append_geometry(&line_string(points), closed, out);
            }
            (Self::Polygon, &[x, y, .., last_x, last_y]) if numbers.len() % 2 == 0 => {
                let mut ring = numbers;
                if (x, y) != (last_x, last_y) {
                    ring.extend([x, y]);
                }
                append_geometry(&polygon(&ring), b"\"type\":\"polygon\"", out);
            }
            (Self::Polygon, &[_, _]) => append_geometry(&polygon(&numbers), b"\"type\":\"polygon\"", out),
            _ => return Err(BAD),
        }
        Ok(())
    }

    /// Appends PostGIS' EWKB, given as hexadecimal digits.
    fn append_ewkb(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut bytes = Vec::with_capacity(text.len() / 2);
        for pair in text.chunks(2) {
            let &[high, low] = pair else { return Err(BAD) };
            bytes.push(nibble(high).ok_or(BAD)? << 4 | nibble(low).ok_or(BAD)?);
        }
        let word = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(if bytes[0] == 0 { i32::from_be_bytes(four) } else { i32::from_le_bytes(four) })
        };
        const HAS_SRID: i32 = 0x2000_0000;
        let kind = word(1).ok_or(BAD)?;
        let srid = if kind & HAS_SRID == 0 { None } else { Some(word(5).ok_or(BAD)?) };
        out.extend_from_slice(b"{\"wkb\":");
        write_base64(&bytes, out);
        out.extend_from_slice(b",\"srid\":");
        match srid {
            Some(srid) => write_int(srid, out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(if self == Self::Geometry { b",\"extensions\":null}" } else { b"}" });
        Ok(())
    }

    /// The JSON that Debezium writes for a NOT NULL column without a value: a small valid shape.
    pub(super) fn fallback(self) -> Vec<u8> {
        let text: &[u8] = match self {
            Self::Point => b"(0,0)",
            Self::Box => b"(0,0),(1,1)",
            Self::Lseg => b"[(0,0),(1,0)]",
            Self::Path => b"[(0,0),(1,0)]",
            Self::Polygon => b"((0,0),(1,0),(0,1))",
            Self::Circle => b"<(0,0),0>",
            Self::Line => b"{0,1,0}",
            Self::Geometry | Self::Geography => b"010700000000000000",
        };
        let mut out = Vec::new();
        if self == Self::Path {
            append_geometry(&line_string(&[0.0, 0.0, 1.0, 0.0]), b"\"type\":\"path\"", &mut out);
        } else if self.append(text, &mut out).is_err() {
            out = b"null".to_vec();
        }
        out
    }
}

/// The numbers of a value, without its brackets and commas.
fn numbers(text: &[u8]) -> Result<Vec<f64>, Fault> {
    text.split(|byte| b"()[]{}<>,".contains(byte))
        .filter(|word| !word.is_empty())
        .map(|word| std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or(BAD))
        .collect()
}

/// Appends an object's member: the text before its value, and the value.
fn append_member(name: &[u8], value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    append_f64(value, out);
}

/// Appends a `Point`: the coordinates and their WKB.
fn append_point(x: f64, y: f64, out: &mut Vec<u8>) {
    append_member(b"{\"x\":", x, out);
    append_member(b",\"y\":", y, out);
    let mut wkb = [0u8; 21];
    wkb[0] = 1;
    wkb[1] = 1;
    wkb[5..13].copy_from_slice(&x.to_le_bytes());
    wkb[13..].copy_from_slice(&y.to_le_bytes());
    out.extend_from_slice(b",\"wkb\":");
    write_base64(&wkb, out);
    out.extend_from_slice(b",\"srid\":null}");
}

/// Appends a `Geometry` without a spatial reference system.
fn append_geometry(wkb: &[u8], extensions: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"wkb\":");
    write_base64(wkb, out);
    out.extend_from_slice(b",\"srid\":null,\"extensions\":{");
    out.extend_from_slice(extensions);
    out.extend_from_slice(b"}}");
}

/// WKB of a line string, little-endian.
fn line_string(points: &[f64]) -> Vec<u8> {
    let mut wkb = vec![1, 2, 0, 0, 0];
    append_points(points, &mut wkb);
    wkb
}

/// WKB of a polygon of one ring, little-endian.
fn polygon(ring: &[f64]) -> Vec<u8> {
    let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0];
    append_points(ring, &mut wkb);
    wkb
}

/// Appends the count of points and their coordinates.
fn append_points(points: &[f64], wkb: &mut Vec<u8>) {
    let count = u32::try_from(points.len() / 2).unwrap_or(u32::MAX);
    wkb.extend_from_slice(&count.to_le_bytes());
    wkb.extend(points.iter().flat_map(|number| number.to_le_bytes()));
}
