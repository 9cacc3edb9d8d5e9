/** Milliseconds of work after which the event loop gets a turn: three such pieces are no stall that a person notices. */
export const TURN = 12;
