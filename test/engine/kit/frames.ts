export * from '../../kit/frames.ts'
