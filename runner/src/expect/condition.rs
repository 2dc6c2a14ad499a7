use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// How a fact is held against a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Operator {
    /// In an order in which none hides a longer one.
    const ALL: [(&'static str, Operator); 6] = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];

    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::AtLeast => order.is_ge(),
        }
    }

    fn orders(self) -> bool {
        !matches!(self, Operator::Equal | Operator::NotEqual)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Operator::ALL.iter().find(|(_, operator)| operator == self);
        f.write_str(sign.map_or("", |(sign, _)| sign))
    }
}

/// What a finding must be: `tls.days-left >= 21`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The finding's name.
    pub name: String,
    /// How they are compared.
    pub operator: Operator,
    /// Text, a number or a boolean.
    pub value: Value,
}

impl Condition {
    /// Reads `NAME OPERATOR VALUE`.
    ///
    /// # Errors
    /// What is wrong, with an example.
    pub fn parse(text: &str) -> Result<Condition, String> {
        let form = "write NAME OPERATOR VALUE, for example 'tls.days-left >= 21'; operators are = != < <= > >=";
        let at = text.find(['=', '!', '<', '>']).ok_or_else(|| format!("'{text}': {form}"))?;
        let (name, rest) = text.split_at(at);
        let (operator, value) = operator(rest).ok_or_else(|| format!("'{text}': {form}"))?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) || value.is_empty() {
            return Err(format!("'{text}': {form}"));
        }
        let value = literal(value).ok_or_else(|| {
            format!("'{value}' is no number, true, false or text in quotes: write {name} {operator} \"{value}\"")
        })?;
        if operator.orders() && !value.is_number() {
            return Err(format!("'{operator}' compares numbers, and {value} is none"));
        }
        Ok(Condition { name: name.to_owned(), operator, value })
    }

    /// Whether a finding's value is as it must be.
    pub fn holds(&self, found: &Value) -> bool {
        match (found.as_f64(), self.value.as_f64()) {
            (Some(found), Some(wanted)) => {
                found.partial_cmp(&wanted).is_some_and(|order| self.operator.holds(order))
            }
            _ if self.operator.orders() => false,
            _ => (*found == self.value) == (self.operator == Operator::Equal),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.operator, self.value)
    }
}

/// The operator at the beginning, and what follows it.
fn operator(text: &str) -> Option<(Operator, &str)> {
    Operator::ALL.iter().find_map(|(sign, operator)| {
        let rest = text.strip_prefix(sign)?;
        // `==` is what programmers write.
        let rest = if *sign == "=" { rest.strip_prefix('=').unwrap_or(rest) } else { rest };
        Some((*operator, rest.trim()))
    })
}

/// A number, a boolean, or text in single or double quotes.
fn literal(text: &str) -> Option<Value> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(text) = quoted('"').or_else(|| quoted('\'')) {
        return Some(text.into());
    }
    match text {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        number => match number.parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => number.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
        },
    }
}

/// What a round trip may take: `< 50ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// How they are compared.
    pub operator: Operator,
    /// The time.
    pub time: Duration,
}

impl Limit {
    /// Reads `OPERATOR TIME`.
    ///
    /// # Errors
    /// What is wrong, with an example.
    pub fn parse(text: &str) -> Result<Limit, String> {
        let bad = || format!("'{text}' is no limit: write for example '< 50ms' (us, ms or s)");
        let (operator, rest) =
            operator(text.trim()).filter(|(operator, _)| operator.orders()).ok_or_else(bad)?;
        let split = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
        let (number, unit) = rest.split_at(split);
        let scale = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            _ => return Err(bad()),
        };
        let seconds = number.trim().parse::<f64>().map_err(|_| bad())? * scale;
        match seconds > 0.0 && seconds <= 3600.0 {
            true => Ok(Limit { operator, time: Duration::from_secs_f64(seconds) }),
            false => Err(bad()),
        }
    }

    /// Whether a round trip of so many milliseconds keeps it.
    pub fn holds(&self, milliseconds: f64) -> bool {
        let limit = self.time.as_secs_f64() * 1e3;
        milliseconds.partial_cmp(&limit).is_some_and(|order| self.operator.holds(order))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.operator, self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_compare_what_can_be_compared() {
        for (text, holds, fails) in [
            ("tls.days-left >= 21", json!(21), json!(20)),
            ("a<3.5", json!(3), json!(3.5)),
            ("a > -2", json!(-1), json!(-2)),
            ("a <= 0", json!(0.0), json!("0")),
            ("dns.recursion-available = false", json!(false), json!(true)),
            ("a == 'x = y'", json!("x = y"), json!("x")),
            ("postgres.tls != \"off\"", json!("on"), json!("off")),
            ("a != 3", json!("3"), json!(3.0)),
            ("a < 3", json!(2), json!("2")),
        ] {
            let condition = Condition::parse(text).unwrap();
            assert!(condition.holds(&holds), "{text} {holds}");
            assert!(!condition.holds(&fails), "{text} {fails}");
            assert_eq!(Condition::parse(&condition.to_string()), Ok(condition), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_told_with_the_right_form() {
        for (text, said) in [
            ("tls.days-left", "NAME OPERATOR VALUE"),
            (">= 3", "NAME OPERATOR VALUE"),
            ("a b = 3", "NAME OPERATOR VALUE"),
            ("a =", "NAME OPERATOR VALUE"),
            ("a ! 3", "NAME OPERATOR VALUE"),
            ("dns.rcode = NOERROR", "write dns.rcode = \"NOERROR\""),
            ("a < \"x\"", "compares numbers"),
            ("a < true", "compares numbers"),
        ] {
            let error = Condition::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn limits_have_their_unit() {
        let limit = Limit::parse("< 50ms").unwrap();
        assert!(limit.holds(49.9) && !limit.holds(50.0));
        assert_eq!(limit.to_string(), "< 50ms");
        assert!(Limit::parse(" >=1.5 s").unwrap().holds(1500.0));
        for bad in ["50ms", "< 50", "= 50ms", "< 0ms", "< 2h", "< xms", "", "<"] {
            assert!(Limit::parse(bad).is_err(), "{bad}");
        }
    }
}
