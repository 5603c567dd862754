use std::borrow::Cow;

use super::error::Error;
use super::json::Json;
use super::scan::Scanner;

/// Values from text, and from the text of arrays and objects.
impl<'a> Json<'a> {
    /// Parses a whole text.
    ///
    /// # Errors
    /// When the text is not exactly one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(value)
    }

    /// The elements of an array; `None` for anything else.
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

    /// The members of an object, in order; `None` for anything else.
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

    /// One member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Json<'a>> {
        self.members()?.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}
