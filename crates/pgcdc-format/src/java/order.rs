//! The order of a `java.util.HashMap`, which shows wherever Debezium or Connect fills one and writes it out.

/// Sorts entries with distinct keys into the order in which a `java.util.HashMap` of this initial capacity gives them once it has
/// grown to hold them: by bucket, and within one bucket by insertion.
///
/// The number of buckets is a power of two, and doubles while more than three quarters of them would be in use. The bucket
/// is the lower bits of the hash, after its upper half was mixed into the lower.
pub(crate) fn java_order<T>(entries: &mut [T], capacity: usize, hash: impl Fn(&T) -> u32) {
    let mut buckets = capacity.next_power_of_two();
    while entries.len() > buckets * 3 / 4 {
        buckets *= 2;
    }
    entries.sort_by_cached_key(|entry| {
        let hash = hash(entry);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
}

/// Java's `String.hashCode`: over the UTF-16 units, `hash * 31 + unit` in 32 bits.
pub(crate) fn java_hash(text: &[u8]) -> u32 {
    String::from_utf8_lossy(text)
        .encode_utf16()
        .fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(java_hash(b"hello"), 99_162_322);
        assert_eq!(
            java_hash("ключ".as_bytes()),
            "ключ".encode_utf16().fold(0u32, |h, c| h.wrapping_mul(31).wrapping_add(c.into()))
        );
    }

    #[test]
    fn order_is_that_of_a_java_hash_map() {
        let keys = "alpha beta gamma delta épsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho \
                    sigma tau upsilon Aa BB AaAa BBBB AaBB 😀";
        let ordered = |count| {
            let mut keys: Vec<_> = keys.split_whitespace().take(count).collect();
            java_order(&mut keys, 16, |key| java_hash(key.as_bytes()));
            keys.join(",")
        };
        // Printed by Java: `new HashMap<>()`, filled in this order.
        assert_eq!(ordered(12), "zeta,iota,lambda,eta,alpha,delta,mu,kappa,theta,beta,gamma,épsilon");
        assert_eq!(ordered(13), "zeta,iota,nu,delta,mu,theta,lambda,eta,alpha,kappa,beta,gamma,épsilon");
        assert_eq!(
            ordered(26),
            "Aa,BB,nu,delta,theta,lambda,eta,omicron,alpha,kappa,beta,épsilon,AaAa,BBBB,AaBB,zeta,sigma,iota,\
             upsilon,mu,tau,xi,rho,😀,pi,gamma"
        );
        let mut sparse = [1u32, 3, 5];
        java_order(&mut sparse, 3, |&index| index);
        assert_eq!(sparse, [1, 5, 3]);
    }
}
