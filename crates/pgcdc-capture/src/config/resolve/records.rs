//! The properties about a record's form: converters, transforms and the types of values.

use pgcdc_config::{Reader, Warning};
use pgcdc_format::types::TypeOptions;

use crate::config::converters::{self, Format, HeaderFormat};
use crate::config::settings::{Converter, NamingStyle, SecretProperties, TopicNaming, Transforms, Unwrap};
use crate::config::transforms::{self, Chosen};
use crate::config::value_types;

/// How a record becomes bytes: the encoder's part, and what follows it. These settings depend on
/// each other, so they are read together. The fields are those of
/// [`Settings`](crate::config::Settings).
pub(super) struct Records {
    /// How values are written.
    pub(super) types: TypeOptions,
    /// The form in which the encoder writes keys.
    pub(super) key_converter: Converter,
    /// The form in which the encoder writes values.
    pub(super) value_converter: Converter,
    /// What keys become in the end.
    pub(super) key_format: Format,
    /// What values become in the end.
    pub(super) value_format: Format,
    /// What headers become.
    pub(super) header_format: HeaderFormat,
    /// The transform that the encoder does itself.
    pub(super) unwrap: Option<Unwrap>,
    /// The chain behind the encoder.
    pub(super) transforms: Option<Transforms>,
    /// Settings of transforms that nothing reads.
    pub(super) warnings: Vec<Warning>,
}

impl Records {
    /// Reads converters and transforms, and decides what the encoder does itself.
    pub(super) fn resolve(reader: &mut Reader<'_>, naming: &TopicNaming) -> Self {
        let (key_format, value_format) =
            (converters::resolve(reader, "key"), converters::resolve(reader, "value"));
        let header_format = converters::headers(reader);
        let avro = key_format.avro().is_some() || value_format.avro().is_some();
        let staged = key_format.is_staged()
            || value_format.is_staged()
            || header_format != HeaderFormat::Simple
            // The encoder cannot write in Avro the field that this naming adds to keys.
            || (avro && matches!(naming.style, NamingStyle::Regex(_)));
        let (chosen, warnings) = transforms::resolve(reader, staged);
        let mut types = value_types::resolve(reader);
        let (mut unwrap, mut transforms) = (None, None);
        match chosen {
            Chosen::None if staged => transforms = Some(Transforms::default()),
            Chosen::None => {}
            Chosen::Unwrap(options) => unwrap = Some(options),
            Chosen::Chain(properties) => {
                let properties = SecretProperties(properties.into_iter().collect());
                transforms = Some(Transforms { properties });
            }
        }
        let encoded =
            |format: &Format| if transforms.is_some() { Converter::TRANSFORMED } else { format.encoded() };
        let (key_converter, value_converter) = (encoded(&key_format), encoded(&value_format));
        (types.decimal_format, types.replace_null_with_default) =
            (value_converter.decimal_format, value_converter.replace_null_with_default);
        Self {
            types,
            key_converter,
            value_converter,
            key_format,
            value_format,
            header_format,
            unwrap,
            transforms,
            warnings,
        }
    }
}
