/** The version of this package, as package.json has it: records of what made a file hold it. */
export const version = '0.1.0';
