use std::sync::Arc;

use super::schema::Field;
use super::{Kind, Parameters, Schema, Value, validate};
use crate::Fault;

/// Builds a schema.
///
/// ```
/// use pgcdc_transform::data::{Kind, Schema, SchemaBuilder};
///
/// let mut builder = SchemaBuilder::new(Kind::Struct).named("shop.Order");
/// builder.add_field("id".into(), Schema::plain(Kind::Int64, false))?;
/// let schema = builder.build();
/// assert_eq!(schema.position("id"), Some(0));
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct SchemaBuilder {
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) default: Option<Value>,
    pub(super) name: Option<Arc<str>>,
    pub(super) version: Option<i32>,
    pub(super) doc: Option<Arc<str>>,
    pub(super) parameters: Option<Parameters>,
    pub(super) fields: Vec<Field>,
    pub(super) key: Option<Schema>,
    pub(super) value: Option<Schema>,
}

impl SchemaBuilder {
    /// Begins a required schema of this kind, without a name.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: None,
            fields: Vec::new(),
            key: None,
            value: None,
        }
    }

    /// Begins the schema of an array of these elements.
    #[must_use]
    pub fn array(items: Schema) -> Self {
        Self { value: Some(items), ..Self::new(Kind::Array) }
    }

    /// Begins the schema of a map.
    #[must_use]
    pub fn map(keys: Schema, values: Schema) -> Self {
        Self { key: Some(keys), value: Some(values), ..Self::new(Kind::Map) }
    }

    /// Begins the schema of a map with a schema for its keys only: Connect's schema of a map whose values are all null.
    #[must_use]
    pub fn keys(mut self, keys: Schema) -> Self {
        self.key = Some(keys);
        self
    }

    /// Begins a schema of this kind with the name, version, documentation and parameters of another schema, but without its
    /// optionality and its default, as Connect's transforms do.
    #[must_use]
    pub fn like(source: &Schema, kind: Kind) -> Self {
        Self {
            name: source.shared_name(),
            version: source.version(),
            doc: source.doc().cloned(),
            parameters: source.parameters().filter(|p| !p.is_empty()).cloned(),
            ..Self::new(kind)
        }
    }

    /// As [`like`](Self::like), with the other schema's kind and elements, too.
    #[must_use]
    pub fn same_kind(source: &Schema) -> Self {
        let value = if source.kind() == Kind::Array { source.value_schema().cloned() } else { None };
        Self { value, ..Self::like(source, source.kind()) }
    }

    /// Begins a copy of a schema.
    #[must_use]
    pub fn of(source: &Schema) -> Self {
        Self {
            optional: source.is_optional(),
            default: source.default_value().cloned(),
            fields: source.fields().to_vec(),
            key: source.key_schema().cloned(),
            value: source.value_schema().cloned(),
            parameters: source.parameters().cloned(),
            ..Self::like(source, source.kind())
        }
    }

    /// Allows null.
    #[must_use]
    pub const fn optional(self) -> Self {
        self.optional_if(true)
    }

    /// Allows null, or not.
    #[must_use]
    pub const fn optional_if(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the version.
    #[must_use]
    pub const fn version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Sets the parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = Some(parameters);
        self
    }

    /// Sets the default.
    ///
    /// # Errors
    /// When the value is no value of the schema.
    pub fn default_value(mut self, value: Value) -> Result<Self, Fault> {
        if validate(&self.build(), &value, "value").is_err() {
            return Err(Fault::schema("Invalid default value"));
        }
        self.default = (!value.is_null()).then_some(value);
        Ok(self)
    }

    /// Adds a field.
    ///
    /// # Errors
    /// When the field has no name, or a name that is taken.
    pub fn field(mut self, name: &str, schema: Schema) -> Result<Self, Fault> {
        self.add_field(name.into(), schema)?;
        Ok(self)
    }

    /// Adds the fields of another schema.
    ///
    /// # Errors
    /// As [`add_field`](Self::add_field).
    pub fn add_fields_of(&mut self, schema: &Schema) -> Result<(), Fault> {
        schema.fields().iter().try_for_each(|field| self.add_field(field.name.clone(), field.schema.clone()))
    }

    /// Adds a field.
    ///
    /// # Errors
    /// When the field has no name, or a name that is taken.
    pub fn add_field(&mut self, name: Arc<str>, schema: Schema) -> Result<(), Fault> {
        if self.kind != Kind::Struct {
            return Err(Fault::schema(format!("Cannot create fields on type {}", self.kind)));
        }
        if name.is_empty() {
            return Err(Fault::schema("fieldName cannot be null."));
        }
        if self.has_field(&name) {
            return Err(Fault::schema(format!(
                "Cannot create field because of field name duplication {name}"
            )));
        }
        self.fields.push(Field { name, schema });
        Ok(())
    }

    /// Whether a field has this name.
    #[must_use]
    pub fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| &*field.name == name)
    }

    /// The finished schema.
    #[must_use]
    pub fn build(&self) -> Schema {
        Schema::of_parts(self)
    }
}
