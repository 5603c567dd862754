use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pgcdc_format::schema::{Logical, Type as Kind};

use super::{SchemaBuilder, Value};
use crate::Fault;

/// A schema's parameters, in the order they were given.
pub type Parameters = Arc<[(Arc<str>, Arc<str>)]>;

/// A schema. Clones share it.
///
/// Two schemas are equal when all their parts are, at any depth. The hash is made once, when the schema is built, so that
/// a lookup in a transform's memory costs no walk over the fields.
///
/// ```
/// use pgcdc_transform::data::{Kind, Schema, SchemaBuilder};
///
/// let key = SchemaBuilder::new(Kind::Struct).named("shop.Key").field("id", Schema::plain(Kind::Int32, false))?.build();
/// assert_eq!(key.to_string(), "Schema{shop.Key:STRUCT}");
/// assert_eq!(key.field("id").map(|field| field.schema.kind()), Some(Kind::Int32));
/// assert!(key.field_of_struct("no")?.is_none());
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

/// The parts of a schema. Which of them are set depends on the kind.
pub(super) struct Inner {
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) default: Option<Value>,
    pub(super) name: Option<Arc<str>>,
    pub(super) version: Option<i32>,
    pub(super) doc: Option<Arc<str>>,
    pub(super) parameters: Option<Parameters>,
    /// A struct's fields.
    pub(super) fields: Vec<Field>,
    /// The schema of a map's keys.
    pub(super) key: Option<Schema>,
    /// The schema of a map's values, or of an array's items.
    pub(super) value: Option<Schema>,
    /// The position of each field, by name.
    by_name: HashMap<Arc<str>, usize>,
    /// Found once, since it is asked for with every record.
    logical: Option<Logical>,
    /// Hash of everything that equality compares, so that most unequal schemas differ at once.
    hash: u64,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name.
    pub name: Arc<str>,
    /// The schema.
    pub schema: Schema,
}

impl Schema {
    /// Finishes a builder's schema. Defaults and parameters go into the hash only as "there or not": they have no cheap hash,
    /// and schemas that differ in nothing else are rare.
    pub(super) fn of_parts(builder: &SchemaBuilder) -> Self {
        let mut hasher = DefaultHasher::new();
        (builder.kind, builder.optional, &builder.name, builder.version, &builder.doc).hash(&mut hasher);
        builder.default.is_some().hash(&mut hasher);
        for field in &builder.fields {
            (&field.name, field.schema.0.hash).hash(&mut hasher);
        }
        for part in [&builder.key, &builder.value] {
            part.as_ref().map(|schema| schema.0.hash).hash(&mut hasher);
        }
        builder.parameters.as_ref().map(|p| p.len()).hash(&mut hasher);
        let by_name = builder.fields.iter().enumerate().map(|(at, field)| (Arc::clone(&field.name), at));
        Self(Arc::new(Inner {
            kind: builder.kind,
            optional: builder.optional,
            default: builder.default.clone(),
            name: builder.name.clone(),
            version: builder.version,
            doc: builder.doc.clone(),
            parameters: builder.parameters.clone(),
            fields: builder.fields.clone(),
            key: builder.key.clone(),
            value: builder.value.clone(),
            by_name: by_name.collect(),
            logical: builder.name.as_deref().and_then(Logical::of),
            hash: hasher.finish(),
        }))
    }

    /// A schema of a kind, without a name.
    #[must_use]
    pub fn plain(kind: Kind, optional: bool) -> Self {
        let builder = SchemaBuilder::new(kind);
        if optional { builder.optional().build() } else { builder.build() }
    }

    /// The kind of its values.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether null is allowed.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }

    /// The default, which a reader may take where the value is null.
    #[must_use]
    pub fn default_value(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }

    /// The name. For Debezium's types it says what the value means: `io.debezium.time.Date` is an `int32` of days.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    pub(super) fn shared_name(&self) -> Option<Arc<str>> {
        self.0.name.clone()
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// The documentation.
    #[must_use]
    pub fn doc(&self) -> Option<&Arc<str>> {
        self.0.doc.as_ref()
    }

    /// The parameters, if it has any.
    #[must_use]
    pub fn parameters(&self) -> Option<&Parameters> {
        self.0.parameters.as_ref()
    }

    /// The logical type, if the schema has the name of one of Connect's logical types.
    #[must_use]
    pub fn logical(&self) -> Option<Logical> {
        self.0.logical
    }

    /// The value of a parameter: the `scale` of a `Decimal`, or a column's source type.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.0.parameters.as_ref()?.iter().find(|(key, _)| &**key == name);
        found.map(|(_, value)| &**value)
    }

    /// A struct's fields; empty for other kinds.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The position of a struct's field.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    /// A struct's field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.0.fields[at])
    }

    /// As [`field`](Self::field), with an error for a schema that is no struct.
    ///
    /// # Errors
    /// When the schema is no struct.
    pub fn field_of_struct(&self, name: &str) -> Result<Option<&Field>, Fault> {
        self.require_fields("Cannot look up fields on non-struct type")?;
        Ok(self.field(name))
    }

    /// As [`fields`](Self::fields), with an error for a schema that is no struct.
    ///
    /// # Errors
    /// When the schema is no struct.
    pub fn fields_of_struct(&self) -> Result<&[Field], Fault> {
        self.require_fields("Cannot list fields on non-struct type")?;
        Ok(self.fields())
    }

    fn require_fields(&self, message: &str) -> Result<(), Fault> {
        if self.0.kind == Kind::Struct { Ok(()) } else { Err(Fault::data(message)) }
    }

    /// The schema of a map's keys.
    #[must_use]
    pub fn key_schema(&self) -> Option<&Self> {
        self.0.key.as_ref()
    }

    /// The schema of an array's elements or of a map's values.
    #[must_use]
    pub fn value_schema(&self) -> Option<&Self> {
        self.0.value.as_ref()
    }

    /// Whether both are the same object, not only equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        self.is(other)
            || (a.hash == b.hash
                && a.kind == b.kind
                && a.optional == b.optional
                && a.version == b.version
                && a.name == b.name
                && a.doc == b.doc
                && a.default == b.default
                && a.fields == b.fields
                && a.key == b.key
                && a.value == b.value
                && same_parameters(a.parameters.as_ref(), b.parameters.as_ref()))
    }
}

impl Eq for Schema {}

impl Hash for Schema {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

/// Whether both have the same parameters, in any order.
fn same_parameters(a: Option<&Parameters>, b: Option<&Parameters>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().all(|pair| b.contains(pair)),
        _ => false,
    }
}

/// As Connect's messages show it: `Schema{name:KIND}`.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.kind()),
            None => write!(f, "Schema{{{}}}", self.kind()),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
