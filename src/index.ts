export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from './errors.ts';
