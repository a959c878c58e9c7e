/** Variables of ours that set no key: our units set the first, our test suites the others. A node may be called `test`. */
export const NO_SETTING = /^NODE_UPDATER_(BOOT_ID|TEST_(CACHE|CASES|SHARE))$/;
