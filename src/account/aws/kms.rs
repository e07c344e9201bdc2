//! KMS: the key that signs locks.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;

use super::failure::Operation;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Mac, MarkKey};

fn operation(action: &'static str, key: &MarkKey) -> Operation {
    Operation { family: Family::Kms, action, arn: key.to_string(), about: format!("key {key}") }
}

/// The code of a text of at most 4,096 bytes, which is as much as KMS takes
/// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html>).
pub async fn sign(session: &Session, key: &MarkKey, text: String) -> Result<Mac, CallError> {
    let operation = operation("kms:GenerateMac", key);
    let call = || {
        let call = session.kms_in(key.region()).generate_mac().key_id(key.as_str());
        call.mac_algorithm(MacAlgorithmSpec::HmacSha256).message(Blob::new(text.clone())).send()
    };
    // It changes nothing, and gives the same code each time.
    let made = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let bytes = made.mac().and_then(|mac| <[u8; 32]>::try_from(mac.as_ref()).ok());
    bytes.map(Mac).ok_or_else(|| CallError::Unknown(format!("key {key} gave no code of 32 bytes")))
}

/// Whether a code is that of a text.
pub async fn verify(session: &Session, key: &MarkKey, text: String, mac: Mac) -> Result<bool, CallError> {
    let operation = operation("kms:VerifyMac", key);
    let call = || {
        let call = session.kms_in(key.region()).verify_mac().key_id(key.as_str()).mac(Blob::new(mac.0));
        call.mac_algorithm(MacAlgorithmSpec::HmacSha256).message(Blob::new(text.clone())).send()
    };
    match session.caller.read(&operation, call).await {
        Ok(verified) => Ok(verified.mac_valid()),
        // KMS says no by an error.
        Err(failure) if failure.code == "KMSInvalidMacException" => Ok(false),
        Err(failure) => Err(session.refuse(&operation)(failure)),
    }
}
