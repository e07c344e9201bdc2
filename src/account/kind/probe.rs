//! Probes: numbers from elsewhere. Nothing of AWS; `squall.yaml` says where each is asked for.

use super::{ArnShape, KindDescriptor, whole};

/// A probe: its name stands for its ARN.
pub static PROBE: KindDescriptor = KindDescriptor {
    arn: ArnShape { service: "", has_region: false, has_account: false, before: "", names: whole },
    types: &[],
    physical_id_ends_with_name: false,
    tag_filter: None,
    metrics: &[],
    find: &[],
    describe: &[],
    lists: &[],
};
