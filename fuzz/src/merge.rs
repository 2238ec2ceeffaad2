use keyspace::cell::Cell;
use keyspace::fate::Fates;

/// Three stored values that follow each other, each behind its length in two bytes: whatever is read of them is merged in every
/// order to the same bytes, and nothing changes when there is nothing to merge.
pub fn merge(data: &[u8]) {
    let Some((family, data)) = data.split_first() else { return };
    let mut rest = data;
    let [a, b, c] = std::array::from_fn(|_| next(&mut rest));
    match family % 2 {
        0 => law([a, b, c], |value| Cell::decode(value).ok(), Cell::merge, |cell| cell.encode().to_vec()),
        _ => law(
            [a, b, c],
            |value| Fates::decode(value).ok(),
            aggregate::Merge::merge,
            |fates| fates.encode().to_vec(),
        ),
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, behind)) = rest.split_first_chunk() else { return rest };
    let (value, behind) = behind.split_at(usize::from(u16::from_le_bytes(*length)).min(behind.len()));
    *rest = behind;
    value
}

fn law<T: Clone + Default>(
    values: [&[u8]; 3],
    decode: impl Fn(&[u8]) -> Option<T>,
    merge: impl Fn(&mut T, &T),
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Some(parts) = values.into_iter().map(decode).collect::<Option<Vec<T>>>() else { return };
    let whole = |order: [usize; 3]| {
        let mut whole = T::default();
        order.iter().for_each(|&part| merge(&mut whole, &parts[part]));
        encode(&whole)
    };
    let expected = whole([0, 1, 2]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert!(whole(order) == expected, "merged in the order {order:?} it is something else");
    }
    let (mut right, mut grouped) = (parts[1].clone(), parts[0].clone());
    merge(&mut right, &parts[2]);
    merge(&mut grouped, &right);
    merge(&mut grouped, &T::default());
    assert!(encode(&grouped) == expected, "merged in other groups it is something else");
}
