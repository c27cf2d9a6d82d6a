"""PACKAGE lzc/compiler"""
