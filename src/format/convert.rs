//! From what is written to what squall works with, and back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::account::{AccountIdentity, Region, ResourceKind};
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::weighing::Alpha;
use crate::plan::ChangeId;
use crate::units::{Rate, Share, Span, Time};

/// A conversion that cannot fail. Lists, options and boxes convert by what they hold.
pub(crate) trait Convert<T> {
    fn convert(self) -> T;
}

impl<A: Convert<B>, B> Convert<Vec<B>> for Vec<A> {
    fn convert(self) -> Vec<B> {
        self.into_iter().map(Convert::convert).collect()
    }
}

impl<A: Convert<B>, B> Convert<Option<B>> for Option<A> {
    fn convert(self) -> Option<B> {
        self.map(Convert::convert)
    }
}

impl<A: Convert<B>, B> Convert<Box<B>> for Box<A> {
    fn convert(self) -> Box<B> {
        Box::new((*self).convert())
    }
}

impl<K: Ord, A: Convert<B>, B> Convert<BTreeMap<K, B>> for BTreeMap<K, A> {
    fn convert(self) -> BTreeMap<K, B> {
        self.into_iter().map(|(key, value)| (key, value.convert())).collect()
    }
}

/// Types whose written form is a plain text or number of their own.
macro_rules! same_inside {
    ($($type:ty),+ $(,)?) => {
        $(impl Convert<$type> for $type {
            fn convert(self) -> $type {
                self
            }
        })+
    };
}

same_inside!(
    String,
    bool,
    u32,
    u64,
    i64,
    usize,
    f64,
    BTreeSet<String>,
    Time,
    Rate,
    Share,
    Alpha,
    RunId,
    ChangeId,
    FaultName,
    ResourceKind,
    AccountIdentity,
    Region,
);

impl Convert<String> for &'static str {
    fn convert(self) -> String {
        self.to_owned()
    }
}

/// A length of time, as seconds: a whole number where it is one. Exact to the microsecond for 70 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", extend("minimum" = 0))]
pub struct Seconds(Span);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.micros() % 1_000_000 {
            0 => to.serialize_i64(self.0.micros() / 1_000_000),
            _ => to.serialize_f64(self.0.secs_f64()),
        }
    }
}

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Seconds, String> {
        // Beyond this a span is at its limit, and no file of squall's has one.
        match (0.0..=1e12).contains(&seconds) {
            true => Ok(Seconds(Span::from_secs_f64(seconds))),
            false => Err(format!("{seconds} is not a duration in seconds")),
        }
    }
}

impl Convert<Span> for Seconds {
    fn convert(self) -> Span {
        self.0
    }
}

impl Convert<Seconds> for Span {
    fn convert(self) -> Seconds {
        Seconds(self)
    }
}

macro_rules! schema_of_text {
    ($($type:ty: $schema:tt),+ $(,)?) => {
        $(impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        })+
    };
}

schema_of_text! {
    Time: { "type": "string", "format": "date-time" },
    Rate: { "type": "number", "minimum": 0 },
    Share: { "type": "number", "minimum": 0, "maximum": 1 },
    Alpha: { "type": "number", "minimum": 0, "maximum": 1 },
    RunId: { "type": "string" },
    ChangeId: { "type": "integer", "minimum": 0 },
    FaultName: { "type": "string" },
    AccountIdentity: { "type": "string" },
    Region: { "type": "string" },
}

/// Defines a written type beside the type inside that it stands for, and both conversions. The fields and variants have
/// the names that they have inside; what is written is named by `serde`. What is missing on either side does not compile.
///
/// - `struct Written = module::Inside { field: Type }`
/// - `enum Written = module::Inside { Unit, Tuple(value: Type), Struct { field: Type } }`: objects with a `kind`
/// - `words Written = module::Inside { One, Other }`: words
macro_rules! written {
    () => {};
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident = $module:ident::$inside:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $vis struct $name { $($(#[$field_meta])* pub $field: $type),* }

        impl $crate::format::Convert<$module::$inside> for $name {
            fn convert(self) -> $module::$inside {
                let $name { $($field),* } = self;
                $module::$inside { $($field: $field.convert()),* }
            }
        }

        impl $crate::format::Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                let $module::$inside { $($field),* } = self;
                $name { $($field: $field.convert()),* }
            }
        }

        $crate::format::written! { $($rest)* }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $name:ident = $module:ident::$inside:ident {
            $(
                $(#[$variant_meta:meta])* $variant:ident
                $(( $(#[$tuple_meta:meta])* $tuple:ident: $tuple_type:ty ))?
                $({ $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        $vis enum $name {
            $(
                $(#[$variant_meta])* $variant
                $({ $(#[$tuple_meta])* $tuple: $tuple_type })?
                $({ $($(#[$field_meta])* $field: $type),* })?
            ),*
        }

        impl $crate::format::Convert<$module::$inside> for $name {
            fn convert(self) -> $module::$inside {
                match self {
                    $(
                        $name::$variant $({ $tuple })? $({ $($field),* })? => {
                            $module::$inside::$variant $(($tuple.convert()))? $({ $($field: $field.convert()),* })?
                        }
                    ),*
                }
            }
        }

        impl $crate::format::Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                match self {
                    $(
                        $module::$inside::$variant $(($tuple))? $({ $($field),* })? => {
                            $name::$variant $({ $tuple: $tuple.convert() })? $({ $($field: $field.convert()),* })?
                        }
                    ),*
                }
            }
        }

        $crate::format::written! { $($rest)* }
    };
    (
        $(#[$meta:meta])* $vis:vis words $name:ident = $module:ident::$inside:ident {
            $($(#[$variant_meta:meta])* $variant:ident),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        $vis enum $name { $($(#[$variant_meta])* $variant),* }

        impl $crate::format::Convert<$module::$inside> for $name {
            fn convert(self) -> $module::$inside {
                match self { $($name::$variant => $module::$inside::$variant),* }
            }
        }

        impl $crate::format::Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                match self { $($module::$inside::$variant => $name::$variant),* }
            }
        }

        $crate::format::written! { $($rest)* }
    };
}
pub(crate) use written;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_length_of_time_reads_back_exactly(micros in 0..2_200_000_000_000_000_i64) {
            let written: Seconds = Span::from_micros(micros).convert();
            let text = serde_json::to_string(&written).unwrap();
            let read: Span = serde_json::from_str::<Seconds>(&text).unwrap().convert();
            prop_assert_eq!(read.micros(), micros);
        }
    }

    #[test]
    fn a_length_of_time_is_short_and_never_negative() {
        let text = |span: Span| serde_json::to_string::<Seconds>(&span.convert()).unwrap();
        assert_eq!(text(Span::from_mins(5)), "300");
        assert_eq!(text(Span::from_millis(1500)), "1.5");
        for wrong in ["-1", "null", "1e300", "\"5m\""] {
            assert!(serde_json::from_str::<Seconds>(wrong).is_err(), "{wrong}");
        }
    }
}
