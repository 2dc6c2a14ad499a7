/// Whether asking for an outcome at once pays.
///
/// On loopback and on a virtual link the kernel carries a SYN to the other end and
/// its answer back before connect() returns. Asking there and then saves a
/// registration, a wake-up and a wait. Where answers travel, it is one call in vain.
#[derive(Default)]
pub(super) struct Prompt {
    /// Calls in vain since the last one that was answered.
    vain: u32,
}

impl Prompt {
    /// In vain so often: answers travel.
    const ENOUGH: u32 = 16;
    /// Then one attempt in so many is asked all the same: the next target may be near.
    const RARELY: u32 = 64;

    /// Whether to ask now.
    pub(super) fn pays(&mut self) -> bool {
        let pays = self.vain < Prompt::ENOUGH || self.vain.is_multiple_of(Prompt::RARELY);
        // Attempts that were not asked count, so that the turn comes round.
        self.vain = self.vain.wrapping_add(u32::from(!pays));
        pays
    }

    /// Takes in whether that was in vain.
    pub(super) fn learn(&mut self, answered: bool) {
        self.vain = if answered { 0 } else { self.vain.wrapping_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(prompt: &mut Prompt, attempts: u32, answers: bool) -> u32 {
        (0..attempts)
            .filter(|_| {
                let pays = prompt.pays();
                if pays {
                    prompt.learn(answers);
                }
                pays
            })
            .count() as u32
    }

    #[test]
    fn what_answers_at_once_is_always_asked() {
        assert_eq!(asked(&mut Prompt::default(), 10_000, true), 10_000);
    }

    #[test]
    fn where_answers_travel_few_are_asked_in_vain() {
        let in_vain = asked(&mut Prompt::default(), 10_000, false);
        assert!((150..=200).contains(&in_vain), "{in_vain}");
    }

    #[test]
    fn a_near_target_after_a_far_one_is_noticed() {
        let mut prompt = Prompt::default();
        asked(&mut prompt, 10_000, false);
        assert!(asked(&mut prompt, 1_000, true) >= 900);
    }
}
