use super::{Field, Kind, Schema, Value, validate};
use crate::Fault;

/// A struct's values, with their schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    schema: Schema,
    values: Vec<Value>,
}

impl Struct {
    /// A struct whose fields are all null.
    ///
    /// # Errors
    /// When the schema is of another kind than a struct.
    pub fn new(schema: Schema) -> Result<Self, Fault> {
        if schema.kind() != Kind::Struct {
            return Err(Fault::data(format!("Not a struct schema: {schema}")));
        }
        let values = vec![Value::Null; schema.fields().len()];
        Ok(Self { schema, values })
    }

    /// The schema.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The values, in the order of the fields.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The fields with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&Field, &Value)> {
        self.schema.fields().iter().zip(&self.values)
    }

    /// A field's value; null stays null, even where the field has a default.
    ///
    /// # Errors
    /// When the struct has no such field.
    pub fn raw(&self, name: &str) -> Result<&Value, Fault> {
        self.lookup(name).map(|at| &self.values[at])
    }

    /// A field's value, or its default where it is null.
    ///
    /// # Errors
    /// When the struct has no such field.
    pub fn get(&self, name: &str) -> Result<&Value, Fault> {
        self.lookup(name).map(|at| self.at(at))
    }

    /// A field's value by its position, or its default where it is null.
    #[must_use]
    pub fn at(&self, at: usize) -> &Value {
        self.values[at].or(self.schema.fields()[at].schema.default_value())
    }

    /// As [`at`](Self::at); `default_for_null` says whether null becomes the default.
    #[must_use]
    pub fn at_with(&self, at: usize, default_for_null: bool) -> &Value {
        if default_for_null { self.at(at) } else { &self.values[at] }
    }

    /// As [`get`](Self::get); `default_for_null` says whether null becomes the default.
    ///
    /// # Errors
    /// When the struct has no such field.
    pub fn get_with(&self, name: &str, default_for_null: bool) -> Result<&Value, Fault> {
        if default_for_null { self.get(name) } else { self.raw(name) }
    }

    /// The value of a field of this kind.
    ///
    /// # Errors
    /// When the struct has no such field, or the field has another kind.
    pub fn typed(&self, name: &str, kind: Kind) -> Result<&Value, Fault> {
        let at = self.lookup(name)?;
        if self.schema.fields()[at].schema.kind() != kind {
            return Err(Fault::data(format!("Field '{name}' is not of type {kind}")));
        }
        Ok(&self.values[at])
    }

    /// A string field's text.
    ///
    /// # Errors
    /// When the struct has no such field, or the field has another kind.
    pub fn string(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.typed(name, Kind::String).map(Value::as_str)
    }

    /// A nested struct.
    ///
    /// # Errors
    /// When the struct has no such field, or the field has another kind.
    pub fn nested(&self, name: &str) -> Result<Option<&Self>, Fault> {
        self.typed(name, Kind::Struct).map(|value| value.as_struct().map(|inner| &**inner))
    }

    /// Sets a field.
    ///
    /// # Errors
    /// When the struct has no such field, or the value is no value of its schema.
    pub fn put(&mut self, name: &str, value: Value) -> Result<(), Fault> {
        let at = self.lookup(name)?;
        self.put_at(at, value)
    }

    /// Sets a field by its position.
    ///
    /// # Errors
    /// When the value is no value of the field's schema.
    pub fn put_at(&mut self, at: usize, value: Value) -> Result<(), Fault> {
        let field = &self.schema.fields()[at];
        validate::validate_field(field, &value)?;
        self.values[at] = value;
        Ok(())
    }

    fn lookup(&self, name: &str) -> Result<usize, Fault> {
        self.schema.position(name).ok_or_else(|| Fault::data(format!("{name} is not a valid field name")))
    }
}
