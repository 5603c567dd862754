use super::lex::{Token, tokens};
use crate::data::{Decimal, Value};
use crate::java::Pattern;

/// How deep an expression may be nested, in brackets and conditions: the parser calls itself for each level.
const DEEPEST: usize = 100;

/// An expression, parsed.
#[derive(Debug)]
pub(crate) enum Node {
    Literal(Value),
    /// `[a, b]`.
    List(Vec<Node>),
    /// One of [`VARIABLES`].
    Name(String),
    /// `a.name`.
    Field(Box<Node>, String),
    /// `a[index]`.
    Item(Box<Node>, Box<Node>),
    /// `a.method(arguments)`.
    Call(Box<Node>, Method, Vec<Node>),
    /// `a.matches('regex')`; the expression is compiled once.
    Matches(Box<Node>, Box<Pattern>),
    Not(Box<Node>),
    Minus(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    /// `a ? b : c`.
    Choice(Box<Node>, Box<Node>, Box<Node>),
}

/// An operator between two values. `&&` and `||` are nodes of their own, since they may leave out their right side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A method of texts, lists and maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    StartsWith,
    EndsWith,
    Contains,
    ToLowerCase,
    ToUpperCase,
    Trim,
    Size,
}

/// The methods by name, with their number of arguments. `length` is there for texts of Groovy.
const METHODS: &[(&str, Method, usize)] = &[
    ("startsWith", Method::StartsWith, 1),
    ("endsWith", Method::EndsWith, 1),
    ("contains", Method::Contains, 1),
    ("toLowerCase", Method::ToLowerCase, 0),
    ("toUpperCase", Method::ToUpperCase, 0),
    ("trim", Method::Trim, 0),
    ("size", Method::Size, 0),
    ("length", Method::Size, 0),
];

/// The names that an expression may begin with.
const VARIABLES: [&str; 6] = ["topic", "key", "value", "keySchema", "valueSchema", "header"];

/// Binary operators, the weakest first; the logical operators are weaker still.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::MoreOrEqual),
        ("<", Operator::Less),
        (">", Operator::More),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

/// Parses an expression. The error says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let node = parser.choice()?;
    parser.sign(";");
    match parser.tokens.get(parser.at) {
        None => Ok(node),
        Some(token) => Err(format!("{} is not expected here", shown(token))),
    }
}

/// A word as a message shows it.
fn shown(token: &Token) -> String {
    match token {
        Token::Name(text) | Token::Number(text) => text.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}

/// Reads an expression from the weakest operator down to the strongest: each method reads one level.
struct Parser {
    tokens: Vec<Token>,
    /// The position of the next word.
    at: usize,
    /// How many levels of brackets and conditions are open.
    depth: usize,
}

type Parsed = Result<Node, String>;

impl Parser {
    /// Takes a sign if it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(known)) if *known == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) {
            return Ok(());
        }
        let found = self.tokens.get(self.at).map_or_else(|| "the end".to_owned(), shown);
        Err(format!("'{sign}' is expected where {found} stands"))
    }

    /// Takes a name if it comes next.
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST} levels"));
        }
        let condition = self.or()?;
        let node = if self.sign("?") {
            let then = self.choice()?;
            self.expect(":")?;
            Node::Choice(condition.into(), then.into(), self.choice()?.into())
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.sign("||") {
            left = Node::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.binary(0)?;
        while self.sign("&&") {
            left = Node::And(left.into(), self.binary(0)?.into());
        }
        Ok(left)
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let operator = operators.iter().find(|(sign, _)| self.sign(sign)).map(|(_, operator)| *operator);
            let operator = operator.or_else(|| (level == 1 && self.word("in")).then_some(Operator::In));
            let Some(operator) = operator else { return Ok(left) };
            left = Node::Binary(operator, left.into(), self.binary(level + 1)?.into());
        }
    }

    fn unary(&mut self) -> Parsed {
        let mut signs = Vec::new();
        while let Some(sign) = ["!", "-"].into_iter().find(|sign| self.sign(sign)) {
            signs.push(sign);
        }
        let mut node = self.path()?;
        for sign in signs.into_iter().rev() {
            node = if sign == "!" { Node::Not(node.into()) } else { Node::Minus(node.into()) };
        }
        Ok(node)
    }

    /// A value with the steps behind it: `.name`, `.method()`, `[index]`.
    fn path(&mut self) -> Parsed {
        let mut node = self.primary()?;
        loop {
            if self.sign(".") || self.sign("?.") {
                let name = match self.tokens.get(self.at) {
                    Some(Token::Name(name) | Token::Text(name)) => name.clone(),
                    _ => return Err("a name is expected after '.'".to_owned()),
                };
                self.at += 1;
                node = if self.sign("(") { self.call(node, &name)? } else { Node::Field(node.into(), name) };
            } else if self.sign("[") {
                let index = self.choice()?;
                self.expect("]")?;
                node = Node::Item(node.into(), index.into());
            } else {
                return Ok(node);
            }
        }
    }

    /// A method behind its opening bracket.
    fn call(&mut self, of: Node, name: &str) -> Parsed {
        let mut arguments = self.items(")")?;
        if name == "matches" {
            let Some(Node::Literal(Value::String(regex))) = arguments.pop().filter(|_| arguments.is_empty())
            else {
                return Err("matches takes one regular expression, in quotes".to_owned());
            };
            let pattern = Pattern::compile(&regex)?;
            return Ok(Node::Matches(of.into(), pattern.into()));
        }
        let found = METHODS.iter().find(|(known, _, _)| *known == name);
        let Some((_, method, count)) = found else {
            let known: Vec<&str> = METHODS.iter().map(|(name, _, _)| *name).collect();
            return Err(format!("there is no method {name}; there are matches, {}", known.join(", ")));
        };
        if arguments.len() != *count {
            return Err(format!("{name} takes {count} arguments, not {}", arguments.len()));
        }
        Ok(Node::Call(of.into(), *method, arguments))
    }

    /// Parses expressions between commas, up to the closing sign.
    fn items(&mut self, close: &str) -> Result<Vec<Node>, String> {
        let mut items = Vec::new();
        while !self.sign(close) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    /// A literal, a variable, a list, or an expression in brackets.
    fn primary(&mut self) -> Parsed {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return Err("it ends where a value is expected".to_owned());
        };
        self.at += 1;
        Ok(match token {
            Token::Text(text) => Node::Literal(Value::text(&text)),
            Token::Number(digits) => Node::Literal(match digits.parse() {
                Ok(whole) => Value::Int64(whole),
                Err(_) => {
                    let decimal = Decimal::parse(&digits);
                    Value::Decimal(decimal.ok_or_else(|| format!("{digits} is no number"))?.into())
                }
            }),
            Token::Name(name) => match name.as_str() {
                "null" => Node::Literal(Value::Null),
                "true" => Node::Literal(Value::Boolean(true)),
                "false" => Node::Literal(Value::Boolean(false)),
                variable if VARIABLES.contains(&variable) => Node::Name(name),
                other => return Err(format!("there is no {other}; there are {}", VARIABLES.join(", "))),
            },
            Token::Sign("(") => {
                let node = self.choice()?;
                self.expect(")")?;
                node
            }
            Token::Sign("[") => Node::List(self.items("]")?),
            Token::Sign(sign) => return Err(format!("a value is expected where '{sign}' stands")),
        })
    }
}
