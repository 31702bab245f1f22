/** Types of install.mjs, which runs before anything is compiled. */
export declare const vscodeFolder: string;
export declare function installVsCode(folder?: string): { node: string; entry: string };
