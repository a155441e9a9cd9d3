//! Random numbers that a seed repeats: xorshift64* is enough to mix cases.

pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        // Neighbouring seeds must not begin alike, and none may be 0.
        Chance((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `limit` - 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// So often of a hundred times.
    pub fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        let index = self.below(these.len() as u64);
        these[usize::try_from(index).expect("an index")]
    }

    pub fn child(&mut self) -> Chance {
        Chance::new(self.next())
    }
}
