/// Decodes a file's bytes: UTF-8 with or without a byte order mark, else ISO-8859-1, as Java's older property files are.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> String {
    let text =
        String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|&b| char::from(b)).collect());
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}
