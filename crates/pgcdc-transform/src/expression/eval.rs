use std::cmp::Ordering;
use std::sync::Arc;

use super::parse::{Method, Node, Operator};
use crate::Fault;
use crate::data::{Decimal, Record, Value};
use crate::java::show;

/// The result of a part of an expression: a value, or a piece of the record that only a further step makes one.
#[derive(Debug)]
enum Found {
    Value(Value),
    /// `header`; the next step is a header's name.
    Headers,
    /// `header.tenant`; the next step is `value`.
    Header(Value),
    /// `keySchema` or `valueSchema`; the next step is `name`.
    SchemaName(Option<Arc<str>>),
}

/// Every failure is Debezium's exception, as the one of a script in another language is.
fn fault(message: impl Into<String>) -> Fault {
    Fault::debezium(message)
}

/// Evaluates an expression for a record.
///
/// # Errors
/// When an operator gets a value that it cannot take, a struct has no such field, or a number is divided by zero. The message
/// names types and fields, never values.
pub(crate) fn evaluate(node: &Node, record: &Record) -> Result<Value, Fault> {
    match found(node, record)? {
        Found::Value(value) => Ok(value),
        Found::Header(_) => Err(fault("a header is no value: write header.<name>.value")),
        Found::Headers => Err(fault("header is no value: write header.<name>.value")),
        Found::SchemaName(_) => Err(fault("a schema is no value: write valueSchema.name")),
    }
}

/// Evaluates one node. Only the parts that decide are looked at: the right side of `&&` may be an error where the left one is
/// false.
fn found(node: &Node, record: &Record) -> Result<Found, Fault> {
    let value = |node: &Node| evaluate(node, record);
    let truth = |node: &Node| match evaluate(node, record)? {
        Value::Boolean(truth) => Ok(truth),
        Value::Null => Ok(false),
        other => Err(fault(format!("{} is neither true nor false", other.class()))),
    };
    Ok(Found::Value(match node {
        Node::Literal(value) => value.clone(),
        Node::List(items) => Value::Array(items.iter().map(value).collect::<Result<Vec<_>, _>>()?.into()),
        Node::Name(name) => return Ok(variable(name, record)),
        Node::Field(of, name) => return field(found(of, record)?, name, record),
        Node::Item(of, index) => item(&value(of)?, &value(index)?)?,
        Node::Call(of, method, arguments) => {
            let arguments: Vec<Value> = arguments.iter().map(value).collect::<Result<_, _>>()?;
            call(&value(of)?, *method, arguments.first())?
        }
        Node::Matches(of, pattern) => match value(of)? {
            Value::Null => Value::Null,
            Value::String(text) => Value::Boolean(pattern.matches(&text)),
            other => return Err(fault(format!("matches needs a text, not {}", other.class()))),
        },
        Node::Not(node) => Value::Boolean(!truth(node)?),
        Node::Minus(node) => arithmetic(Operator::Subtract, &Value::Int64(0), &value(node)?)?,
        Node::And(left, right) => Value::Boolean(truth(left)? && truth(right)?),
        Node::Or(left, right) => Value::Boolean(truth(left)? || truth(right)?),
        Node::Choice(condition, then, otherwise) => value(if truth(condition)? { then } else { otherwise })?,
        Node::Binary(operator, left, right) => binary(*operator, &value(left)?, &value(right)?)?,
    }))
}

/// One of the names that an expression begins with; the parser lets no other one through.
fn variable(name: &str, record: &Record) -> Found {
    let schema_name = |schema: &Option<crate::data::Schema>| {
        Found::SchemaName(schema.as_ref().and_then(|schema| schema.name().map(Arc::from)))
    };
    match name {
        "topic" => Found::Value(Value::String(Arc::clone(&record.topic))),
        "key" => Found::Value(record.key.clone()),
        "value" => Found::Value(record.value.clone()),
        "keySchema" => schema_name(&record.key_schema),
        "valueSchema" => schema_name(&record.value_schema),
        _ => Found::Headers,
    }
}

/// A step with a dot.
fn field(of: Found, name: &str, record: &Record) -> Result<Found, Fault> {
    Ok(Found::Value(match of {
        Found::Headers => {
            let header = record.headers.iter().rev().find(|header| &*header.key == name);
            return Ok(header.map_or(Found::Value(Value::Null), |header| Found::Header(header.value.clone())));
        }
        Found::Header(value) if name == "value" => value,
        Found::SchemaName(schema) if name == "name" => schema.map_or(Value::Null, Value::String),
        Found::Value(Value::Null) => Value::Null,
        Found::Value(Value::Struct(inner)) => inner.get(name)?.clone(),
        Found::Value(Value::Map(entries)) => {
            let entry = entries.iter().find(|(key, _)| key.as_str() == Some(name));
            entry.map_or(Value::Null, |(_, value)| value.clone())
        }
        Found::Value(other) => return Err(fault(format!("{} has no field {name}", other.class()))),
        Found::Header(_) | Found::SchemaName(_) => return Err(fault(format!("there is no {name} here"))),
    }))
}

/// A step with brackets: an array's item by its index, a struct's field or a map's value by its key.
fn item(of: &Value, index: &Value) -> Result<Value, Fault> {
    match (of, index) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::Array(items), Value::Int64(at)) => {
            let at = if *at < 0 { at.saturating_add_unsigned(items.len() as u64) } else { *at };
            Ok(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned().unwrap_or(Value::Null))
        }
        (Value::Struct(inner), Value::String(name)) => inner.get(name).cloned(),
        (Value::Map(entries), key) => {
            let entry = entries.iter().find(|(known, _)| is_equal(known, key));
            Ok(entry.map_or(Value::Null, |(_, value)| value.clone()))
        }
        (of, index) => Err(fault(format!("{} has no element that {} could name", of.class(), index.class()))),
    }
}

/// A method; of null it gives null, whatever the method.
fn call(of: &Value, method: Method, argument: Option<&Value>) -> Result<Value, Fault> {
    let size = |count: usize| Value::Int64(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(match (of, method) {
        (Value::Null, _) => Value::Null,
        (Value::Array(items), Method::Size) => size(items.len()),
        (Value::Map(entries), Method::Size) => size(entries.len()),
        (Value::Array(_) | Value::Map(_), Method::Contains) => {
            Value::Boolean(is_in(argument.unwrap_or(&Value::Null), of)?)
        }
        (Value::String(text), method) => {
            let other = argument.map(show).unwrap_or_default();
            match method {
                Method::StartsWith => Value::Boolean(text.starts_with(&other)),
                Method::EndsWith => Value::Boolean(text.ends_with(&other)),
                Method::Contains => Value::Boolean(text.contains(&other)),
                Method::ToLowerCase => Value::text(&text.to_lowercase()),
                Method::ToUpperCase => Value::text(&text.to_uppercase()),
                Method::Trim => Value::text(text.trim()),
                Method::Size => size(text.chars().count()),
            }
        }
        (other, method) => return Err(fault(format!("{method:?} cannot be called on {}", other.class()))),
    })
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Fault> {
    Ok(Value::Boolean(match operator {
        Operator::Equal => is_equal(left, right),
        Operator::Unequal => !is_equal(left, right),
        Operator::In => is_in(left, right)?,
        Operator::Less => compare(left, right)? == Some(Ordering::Less),
        Operator::More => compare(left, right)? == Some(Ordering::Greater),
        Operator::LessOrEqual => matches!(compare(left, right)?, Some(Ordering::Less | Ordering::Equal)),
        Operator::MoreOrEqual => matches!(compare(left, right)?, Some(Ordering::Greater | Ordering::Equal)),
        _ => return arithmetic(operator, left, right),
    }))
}

/// A number: whole, or with a fraction.
enum Number {
    Whole(i64),
    Float(f64),
}

/// A value as a number; a date counts in milliseconds since 1970.
fn number(value: &Value) -> Option<Number> {
    Some(match value {
        Value::Int8(n) => Number::Whole(i64::from(*n)),
        Value::Int16(n) => Number::Whole(i64::from(*n)),
        Value::Int32(n) => Number::Whole(i64::from(*n)),
        Value::Int64(n) | Value::Date(n) => Number::Whole(*n),
        Value::Float32(n) => Number::Float(f64::from(*n)),
        Value::Float64(n) => Number::Float(*n),
        Value::Decimal(n) => decimal_number(n),
        _ => return None,
    })
}

/// A decimal as a whole number where it is one of 64 bits, else as the nearest double.
fn decimal_number(decimal: &Decimal) -> Number {
    match i64::try_from(decimal.whole()) {
        Ok(whole) if decimal.is_whole() => Number::Whole(whole),
        _ => Number::Float(decimal.to_f64()),
    }
}

fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(b)),
        (Number::Whole(a), Number::Float(b)) => (*a as f64).partial_cmp(b),
        (Number::Float(a), Number::Whole(b)) => a.partial_cmp(&(*b as f64)),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(b),
    }
}

/// Whether two values are equal: numbers by what they are worth, all others as Java's `equals` has it.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => order(&a, &b) == Some(Ordering::Equal),
        _ => left == right,
    }
}

/// `None` when one of them is null or no number.
fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, Fault> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(None),
        (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
        _ => match (number(left), number(right)) {
            (Some(a), Some(b)) => Ok(order(&a, &b)),
            _ => Err(fault(format!("{} and {} have no order", left.class(), right.class()))),
        },
    }
}

fn is_in(value: &Value, container: &Value) -> Result<bool, Fault> {
    match container {
        Value::Null => Ok(false),
        Value::Array(items) => Ok(items.iter().any(|item| is_equal(item, value))),
        Value::Map(entries) => Ok(entries.iter().any(|(key, _)| is_equal(key, value))),
        other => Err(fault(format!("in needs a list or a map on its right, not {}", other.class()))),
    }
}

/// Arithmetic. Whole numbers stay whole while the result is, and fits in 64 bits; else it is a double. `+` with a text on
/// either side puts texts together.
fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Fault> {
    if operator == Operator::Add && (left.as_str().is_some() || right.as_str().is_some()) {
        return Ok(Value::text(&format!("{}{}", show(left), show(right))));
    }
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        return Err(fault(format!("{operator:?} does not work on {} and {}", left.class(), right.class())));
    };
    if let (Number::Whole(a), Number::Whole(b)) = (&a, &b) {
        let whole = match operator {
            Operator::Add => a.checked_add(*b),
            Operator::Subtract => a.checked_sub(*b),
            Operator::Multiply => a.checked_mul(*b),
            Operator::Remainder => a.checked_rem(*b),
            _ => a.checked_div(*b).filter(|quotient| quotient * b == *a),
        };
        if let Some(whole) = whole {
            return Ok(Value::Int64(whole));
        }
        if *b == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
            return Err(fault("division by zero"));
        }
    }
    let float = |number: Number| match number {
        Number::Whole(n) => n as f64,
        Number::Float(n) => n,
    };
    let (a, b) = (float(a), float(b));
    Ok(Value::Float64(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Remainder => a % b,
        _ => a / b,
    }))
}
