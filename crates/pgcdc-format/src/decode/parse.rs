//! JSON values read from text. Arrays and objects are read one level at a time: an element that is an array stays text until
//! it is asked for its own elements.

use std::borrow::Cow;

use super::error::Error;
use super::json::Json;
use super::scan::Scanner;

/// Values from text, and from the text of arrays and objects.
impl<'a> Json<'a> {
    /// Parses a text that is one value. An array or object is checked in full, and stays text.
    ///
    /// # Errors
    /// When the text is not exactly one JSON value, or nests deeper than 128 levels.
    ///
    /// ```
    /// use pgcdc_format::decode::Json;
    /// assert_eq!(Json::parse(" 1e3 ")?.as_f64(), Some(1000.0));
    /// assert_eq!(Json::parse(r#""a\n""#)?.as_str(), Some("a\n"));
    /// assert!(Json::parse("1 2").is_err());
    /// # Ok::<(), pgcdc_format::decode::Error>(())
    /// ```
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(value)
    }

    /// The elements of an array; `None` for any other value.
    ///
    /// ```
    /// use pgcdc_format::decode::Json;
    /// let list = Json::parse("[1,[2,3]]")?;
    /// assert_eq!(list.elements(), Some(vec![Json::Number("1"), Json::Array("[2,3]")]));
    /// # Ok::<(), pgcdc_format::decode::Error>(())
    /// ```
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Json<'a>>> {
        let Json::Array(text) = self else { return None };
        let mut elements = Vec::new();
        Scanner::new(text)
            .array(|scanner| {
                elements.push(scanner.value()?);
                Ok(())
            })
            .ok()?;
        Some(elements)
    }

    /// The members of an object, in order; `None` for any other value. A name that stands twice is there twice.
    #[must_use]
    pub fn members(&self) -> Option<Vec<(Cow<'a, str>, Json<'a>)>> {
        let Json::Object(text) = self else { return None };
        let mut members = Vec::new();
        Scanner::new(text)
            .object(|scanner, name| {
                members.push((name, scanner.value()?));
                Ok(())
            })
            .ok()?;
        Some(members)
    }

    /// The first member of this name; `None` when there is none or the value is not an object. Reads the object anew each
    /// time: use [`members`](Self::members) for more than one.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Json<'a>> {
        self.members()?.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}
