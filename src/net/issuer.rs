//! Who has issued a certificate: the organisation in its name. Pure, and no more of X.509 than that takes.

const SEQUENCE: u8 = 0x30;
/// The version of a certificate, which may be left out.
const VERSION: u8 = 0xa0;
/// The type "organisation" of a name's part (X.520), in DER.
const ORGANISATION: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x0a];

/// The issuer's organisation; none where the name has none, or nothing that is read here.
pub(super) fn organisation(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm, issuer.
    let rest = element(element(rest)?.2)?.2;
    let (tag, mut names, _) = element(rest)?;
    while tag == SEQUENCE && !names.is_empty() {
        let (_, set, others) = element(names)?;
        let (_, pair, _) = element(set)?;
        if let Some(text) = pair.strip_prefix(&ORGANISATION) {
            let (_, text, _) = element(text)?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        names = others;
    }
    None
}

/// The first element: its tag, what is in it, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // So many bytes of length follow; certificates are no longer than two of them tell.
        0x81..=0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (inner, rest) = rest.split_at_checked(length)?;
    Some((tag, inner, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(organisation: Option<&str>) -> Vec<u8> {
        let mut params =
            CertificateParams::new(["sts.eu-west-1.amazonaws.com".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CountryName, "US");
        if let Some(name) = organisation {
            params
                .distinguished_name
                .push(DnType::OrganizationName, name);
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_organisation_is_found_among_the_parts_of_the_name() {
        let of = |name| organisation(&certificate(name));
        assert_eq!(of(Some("Amazon")).as_deref(), Some("Amazon"));
        assert_eq!(of(Some("Zscaler Inc.")).as_deref(), Some("Zscaler Inc."));
        assert_eq!(of(None), None);
    }

    #[test]
    fn what_is_cut_off_or_no_certificate_has_none() {
        let whole = certificate(Some("Amazon"));
        for length in 0..60 {
            assert_eq!(organisation(&whole[..length]), None);
        }
        assert_eq!(organisation(b"not a certificate"), None);
        assert_eq!(organisation(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
