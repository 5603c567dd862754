//! `schema.name.adjustment.mode` and `field.name.adjustment.mode`: names that Avro accepts.
//!
//! Avro allows letters of ASCII, digits and `_` in a name, and no digit in its first place. Postgres allows any character in a
//! quoted name. Connect's schemas take such a name as it is; only Avro's converter refuses it.
//!
//! Source: the Avro specification, "Names"; recordings (`tests/conformance/tables_quoted`).

use std::fmt::Write as _;

/// How a name is changed where it has characters that Avro does not accept.
///
/// | name | `none` | `avro` | `avro_unicode` |
/// |---|---|---|---|
/// | `unit-price` | `unit-price` | `unit_price` | `unit_u002dprice` |
/// | `1st` | `1st` | `_1st` | `_u0031st` |
/// | `a_b` | `a_b` | `a_b` | `a_u005fb` |
///
/// ```
/// use pgcdc_format::names::NameAdjustment;
/// assert_eq!(NameAdjustment::Avro.field("unit-price"), "unit_price");
/// assert_eq!(NameAdjustment::AvroUnicode.field("unit-price"), "unit_u002dprice");
/// assert_eq!(NameAdjustment::AvroUnicode.field("1st"), "_u0031st");
/// assert_eq!(NameAdjustment::AvroUnicode.field("a_b"), "a_u005fb");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameAdjustment {
    /// `none`: such characters stay.
    #[default]
    None,
    /// `avro`: each such character becomes `_`. Two names may become one this way; Debezium does not check that either.
    Avro,
    /// `avro_unicode`: each becomes `_u` and the hexadecimal number of its UTF-16 unit. Two names never become one.
    AvroUnicode,
}

impl NameAdjustment {
    /// The words of the properties, each with its mode.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("avro", Self::Avro), ("avro_unicode", Self::AvroUnicode)];

    /// Changes a schema's name. Dots stay, since they separate its namespaces.
    ///
    /// ```
    /// use pgcdc_format::names::NameAdjustment;
    /// assert_eq!(NameAdjustment::Avro.schema("shop.public.unit-price.Value"), "shop.public.unit_price.Value");
    /// ```
    #[must_use]
    pub fn schema(self, name: &str) -> String {
        self.adjust(name, true)
    }

    /// Changes a field's name. A dot is a character like any other here.
    ///
    /// ```
    /// assert_eq!(pgcdc_format::names::NameAdjustment::Avro.field("a.b"), "a_b");
    /// ```
    #[must_use]
    pub fn field(self, name: &str) -> String {
        self.adjust(name, false)
    }

    /// `dots`: whether a dot may stay.
    fn adjust(self, name: &str, dots: bool) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        // In Unicode mode an underscore begins a code, so an underscore of the name is written as a code too.
        let letter = |c: char| c.is_ascii_alphabetic() || (c == '_' && self == Self::Avro);
        let mut out = String::with_capacity(name.len());
        for (at, c) in name.chars().enumerate() {
            let fits = letter(c) || (at > 0 && (c.is_ascii_digit() || (c == '.' && dots)));
            if fits {
                out.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Debezium puts two zeros before codes of one or two digits, and no zeros before longer codes.
                let _ = match (self, &unit) {
                    (Self::Avro, _) => out.write_char('_'),
                    (_, 0..=0xff) => write!(out, "_u00{unit:x}"),
                    _ => write!(out, "_u{unit:x}"),
                };
            }
            if at == 0 && c.is_ascii_digit() && self == Self::Avro {
                out.push(c);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_avro_takes() {
        assert_eq!(NameAdjustment::None.field("a b"), "a b");
        assert_eq!(NameAdjustment::Avro.field("1st"), "_1st");
        assert_eq!(NameAdjustment::Avro.field("a.b-c_é"), "a_b_c__");
        assert_eq!(NameAdjustment::Avro.schema("a.b-c"), "a.b_c");
        assert_eq!(NameAdjustment::AvroUnicode.field("1a_é名"), "_u0031a_u005f_u00e9_u540d");
    }
}
