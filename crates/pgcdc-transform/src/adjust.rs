//! `schema.name.adjustment.mode` and `field.name.adjustment.mode`: names that Avro takes.

use std::fmt::Write as _;

/// What becomes of characters that Avro does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adjustment {
    /// They stay.
    None,
    /// They become `_`.
    Avro,
    /// They become `_u` and their code.
    AvroUnicode,
}

impl Adjustment {
    pub(crate) const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("avro", Self::Avro), ("avro_unicode", Self::AvroUnicode)];
}

/// A schema's name, in which dots may stand.
pub(crate) fn adjust_schema_name(name: &str, adjustment: Adjustment) -> String {
    adjust(name, adjustment, true)
}

/// A field's name.
pub(crate) fn adjust_field_name(name: &str, adjustment: Adjustment) -> String {
    adjust(name, adjustment, false)
}

fn adjust(name: &str, adjustment: Adjustment, dots: bool) -> String {
    if adjustment == Adjustment::None {
        return name.to_owned();
    }
    // In Unicode mode the underscore begins a code, so one of its own is written as a code too.
    let letter = |c: char| c.is_ascii_alphabetic() || (c == '_' && adjustment == Adjustment::Avro);
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.chars().enumerate() {
        let fits = letter(c) || (at > 0 && (c.is_ascii_digit() || (c == '.' && dots)));
        if fits {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Debezium puts two zeros before codes of one or two digits, and none before longer ones.
            let _ = match (adjustment, &unit) {
                (Adjustment::Avro, _) => out.write_char('_'),
                (_, 0..=0xff) => write!(out, "_u00{unit:x}"),
                _ => write!(out, "_u{unit:x}"),
            };
        }
        if at == 0 && c.is_ascii_digit() && adjustment == Adjustment::Avro {
            out.push(c);
        }
    }
    out
}
