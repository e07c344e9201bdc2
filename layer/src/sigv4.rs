//! AWS Signature Version 4 for the one kind of request that this layer sends: a POST to `/` without a query
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::date;

/// Who signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the access key.
    pub id: String,
    /// The secret of the access key.
    pub secret: String,
    /// The token of temporary credentials.
    pub token: Option<String>,
}

/// For what a signature is good.
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service, as it is signed for.
    pub service: &'a str,
    /// The time of the request, in milliseconds since 1970.
    pub wall: i64,
}

/// The value of the header `Authorization` for a POST to `/`. `headers` are all that are signed, with names in lower case, in
/// the order of their names, `host` and `x-amz-date` among them.
pub fn authorization(credentials: &Credentials, scope: &Scope<'_>, headers: &[(&str, &str)], body: &[u8]) -> String {
    let time = date::amz(scope.wall);
    let day = time.get(..8).unwrap_or_default();
    let credential_scope = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", hash(body));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{credential_scope}\n{}", hash(canonical.as_bytes()));
    let mut key = format!("AWS4{}", credentials.secret).into_bytes();
    for part in [day, scope.region, scope.service, "aws4_request", &to_sign] {
        key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    let id = &credentials.id;
    format!("AWS4-HMAC-SHA256 Credential={id}/{credential_scope}, SignedHeaders={signed}, Signature={}", hex(&key))
}

fn hash(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    /// Those of AWS's published test suite (`aws-sig-v4-test-suite`) that are a POST to `/` without a query.
    #[test]
    fn signatures_are_those_of_the_published_suite() {
        let credentials = Credentials {
            id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token: None,
        };
        let scope = Scope { region: "us-east-1", service: "service", wall: 1_440_938_160_000 };
        let (host, time) = (("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"));
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: [Case<'_>; 5] = [
            (&[host, time], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                &[host, ("my-header1", "value1"), time],
                "",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                &[host, ("my-header1", "VALUE1"), time],
                "",
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            ),
            (
                &[host, time, ("x-amz-security-token", TOKEN)],
                "",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
            (
                &[("content-type", "application/x-www-form-urlencoded"), host, time],
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ];
        for (headers, body, signature) in cases {
            let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(&credentials, &scope, headers, body.as_bytes()), expected);
        }
    }
}
