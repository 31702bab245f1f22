/** The preview process: looks at models and datasets for the editor without running anything. */
export {};
