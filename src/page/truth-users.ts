/**
 * Users whose picks are the truth by the custom of the field: the competition, simulations, the data portal. Where several of them
 * have picks and nobody says whose, those of the first one in this list are taken.
 */
export const truthUsers: readonly string[] = ['curation', 'simulation', 'ground-truth', 'truth', 'data-portal'];
